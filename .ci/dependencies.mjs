// Licences, advisories and the list of the production dependencies (SBOM, CycloneDX). Exit 1 for a licence that is not
// allowed or for an advisory of high severity. A registry without advisories is named, and is no failure.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ALLOWED = [
  'MIT',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  '0BSD',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'Python-2.0',
];
/** Packages whose licence field is no SPDX name, with the licence in their LICENSE file. */
const REVIEWED = { 'node_modules/url-template': 'BSD-3-Clause' };
const SEVERE = ['high', 'critical'];
const DIRECTORY = '.earshot/ci';

/** Output of npm, also if it exits with 1: `npm audit` does so for an advisory. */
function npm(...args) {
  try {
    return execFileSync('npm', args, {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch ({ stdout }) {
    return stdout ?? '';
  }
}

/** An SPDX expression is allowed if all parts of `AND`, or one of `OR`, are. */
function isAllowed(expression) {
  const plain = expression.replace(/[()]/g, '');
  if (plain.includes(' AND ')) return plain.split(' AND ').every(isAllowed);
  return plain.split(' OR ').some((part) => ALLOWED.includes(part.trim()));
}

function checkLicences() {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const production = Object.entries(packages).filter(
    ([path, { dev, devOptional, link }]) => path.startsWith('node_modules/') && !dev && !devOptional && !link,
  );
  const licences = production.map(([path, { license, optional }]) => [
    path,
    REVIEWED[path] ?? license ?? readLicence(path, optional),
  ]);
  const refused = licences.filter(([, licence]) => licence !== undefined && !isAllowed(licence));
  for (const [path, licence] of refused) console.log(`licences: ${path} has ${licence}, which is not allowed`);
  console.log(
    `licences: ${licences.length - refused.length} of ${licences.length} production dependencies are allowed`,
  );
  return refused.length === 0;
}

/** An optional package of another platform is not installed, and has no licence to read. */
function readLicence(path, optional) {
  try {
    return JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')).license ?? 'none';
  } catch (error) {
    if (optional) return undefined;
    throw error;
  }
}

function checkAdvisories() {
  let report;
  try {
    report = JSON.parse(npm('audit', '--omit=dev', '--json'));
  } catch {
    report = {};
  }
  if (report.vulnerabilities === undefined) {
    console.log(`advisories: NOT CHECKED, the registry gave none: ${report.message ?? 'no answer'}`);
    return true;
  }
  const severe = Object.values(report.vulnerabilities).filter(({ severity }) => SEVERE.includes(severity));
  for (const { name, severity } of severe) console.log(`advisories: ${name} has one of severity ${severity}`);
  console.log(`advisories: ${severe.length} of severity ${SEVERE.join(' or ')}`);
  return severe.length === 0;
}

function writeSbom() {
  const text = npm('sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev');
  const { components } = JSON.parse(text);
  mkdirSync(DIRECTORY, { recursive: true });
  writeFileSync(join(DIRECTORY, 'sbom.json'), text);
  console.log(`sbom: ${components.length} components in ${DIRECTORY}/sbom.json`);
  return components.length > 0;
}

const results = [checkLicences(), checkAdvisories(), writeSbom()];
process.exitCode = results.every(Boolean) ? 0 : 1;
