// Loaded into a process with `--import`: prints, as its last line, what memory the process has used at most, in MB
// (10^6 bytes).

process.on('exit', () => {
  process.stdout.write(`${JSON.stringify({ peakMb: (process.resourceUsage().maxRSS * 1024) / 1e6 })}\n`);
});
