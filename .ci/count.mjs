// Counts the tests of vitest's JSON reports: `N passed, N failed, N skipped`. With --check it fails where a report is
// missing or a test file ran nothing without having been skipped: a suite that did not run is no success.
import { readFileSync } from 'node:fs';

const args = process.argv.slice(2);
const isCheck = args[0] === '--check';
const paths = isCheck ? args.slice(1) : args;
const counts = { passed: 0, failed: 0, skipped: 0 };
const problems = [];

for (const path of paths) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    problems.push(`${path} was not written`);
    continue;
  }
  if (report.numPassedTests === 0) problems.push(`${path}: no test passed`);
  for (const file of report.testResults) {
    if (file.assertionResults.length === 0) problems.push(`${file.name}: no test ran`);
    for (const { status } of file.assertionResults) {
      counts[status === 'passed' || status === 'failed' ? status : 'skipped']++;
    }
    if (file.status === 'failed' && file.assertionResults.length === 0) counts.failed++;
  }
}

if (isCheck) {
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
} else {
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
}
