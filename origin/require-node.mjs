// Ends the process with one line where Node cannot run TypeScript. Plain JavaScript, because such a Node must read it.
// package.json declares the versions that can.
if (!process.features.typescript) {
  process.stderr.write(
    `earshot: expected Node 22.18 or newer, which runs TypeScript, got ${process.version}; \`npm ci\` with the development dependencies installs one\n`,
  );
  process.exit(1);
}
