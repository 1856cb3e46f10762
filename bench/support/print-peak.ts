// Module for `--import`: prints the process's peak memory in MB (10^6 bytes) as its last line.

process.on('exit', () => {
  process.stdout.write(`${JSON.stringify({ peakMb: (process.resourceUsage().maxRSS * 1024) / 1e6 })}\n`);
});
