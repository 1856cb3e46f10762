// Module for `--import`: prints the process's peak memory in MB (10^6 bytes) and its CPU time as its last line.

process.on('exit', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const spent = { peakMb: (maxRSS * 1024) / 1e6, cpuMs: (userCPUTime + systemCPUTime) / 1000 };
  process.stdout.write(`${JSON.stringify(spent)}\n`);
});
