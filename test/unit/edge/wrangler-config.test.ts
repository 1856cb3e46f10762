// wrangler.toml against the worker's schema: all sections have the same variables and bindings, and the schema knows
// them.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { unstable_readConfig as readConfig, experimental_readRawConfig as readRawConfig } from 'wrangler';
import { formatEnvFile } from '../../../dev/cloud/env-file.ts';
import { edgeVariables } from '../../../dev/cloud/services.ts';
import { makeRegions } from '../../../dev/topology.ts';
import {
  BINDINGS,
  ConfigurationError,
  makeVariables,
  readConfig as readWorkerConfig,
  SECRETS,
} from '../../../edge/config.ts';
import { makeRandomSecret } from '../../support/random-secret.ts';

const repository = join(import.meta.dirname, '../../..');
const config = join(repository, 'wrangler.toml');
const environments = Object.keys(readRawConfig({ config }).rawConfig.env ?? {});
const variables = Object.keys(makeVariables(false));
/** The placeholder that a deployment sets beside its routes. */
const placeholders = { PUBLIC_HOSTS: 'recs.example.com' };
const secrets = {
  TOKEN_SECRET: makeRandomSecret(),
  ORIGIN_SECRET: makeRandomSecret(),
};

const directory = mkdtempSync(join(tmpdir(), 'earshot-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The configuration that wrangler deploys. `env` undefined: the top level. */
const section = (env?: string) => readConfig({ config, ...(env === undefined ? {} : { env }) }, { hideWarnings: true });

/** The names of all kinds of bindings in `value`. */
function bindingNames(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => nameOf(each) ?? []);
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(bindingNames) : [];
}
const nameOf = (value: unknown): string | undefined => {
  const { binding, name } = Object(value) as { binding?: string; name?: string };
  return binding ?? name;
};

test('there are the environments staging and production', () => {
  expect(environments).toEqual(['staging', 'production']);
});

describe.each(environments)('[env.%s]', (env) => {
  const [top, own] = [section(), section(env)];

  test('has the variables of the top level', () => {
    expect(Object.keys(own.vars).sort()).toEqual(Object.keys(top.vars).sort());
  });

  test('has the bindings and migrations of the top level', () => {
    const { vars: _top, env: _environments, ...topRest } = top;
    const { vars: _own, env: _none, ...ownRest } = own;
    expect(bindingNames(topRest)).toContain('REGION_CACHE');
    expect(bindingNames(ownRest).sort()).toEqual(bindingNames(topRest).sort());
    expect(own.durable_objects).toEqual(top.durable_objects);
    expect(own.migrations).toEqual(top.migrations);
  });

  test('has the queue of the top level under its own name, and waits longer for a batch', () => {
    const [consumer] = top.queues.consumers ?? [];
    expect(consumer).toMatchObject({ max_retries: 10, max_batch_timeout: 10 });
    const [queue, dead] = [`earshot-exposures-${env}`, `earshot-exposures-${env}-dead`];
    expect(own.queues).toEqual({
      producers: [{ binding: 'EXPOSURES', queue }],
      consumers: [{ ...consumer, queue, dead_letter_queue: dead, max_batch_timeout: 60 }],
    });
  });

  test('names itself to the worker', () => {
    expect(own.vars.ENVIRONMENT).toBe(env);
  });
});

describe.each([undefined, ...environments])('the variables of section %s', (env) => {
  const { vars } = section(env);

  test('are known to the worker, and none is a secret', () => {
    expect(Object.keys(vars).filter((name) => !variables.includes(name))).toEqual([]);
    expect(SECRETS.filter((name) => name in vars)).toEqual([]);
  });

  test('are a valid configuration once the secrets are set', () => {
    expect(readWorkerConfig({ ...vars, ...placeholders, ...secrets }).regions.map(({ name }) => name)).toEqual([
      'asia',
      'europe',
      'us',
    ]);
  });

  test('are all that the worker needs but its hosts and secrets', () => {
    const read = () => readWorkerConfig(vars);
    expect(read).toThrow(ConfigurationError);
    expect(read).toThrow(
      expect.objectContaining({ missing: ['PUBLIC_HOSTS', 'ORIGIN_SECRET', 'TOKEN_SECRET or TOKEN_JWKS_URL'] }),
    );
  });
});

test('wrangler.toml mentions every secret', () => {
  const text = readFileSync(config, 'utf8');
  const comment = /^# Secrets: .*\n#.*$/m.exec(text)?.[0];
  for (const name of SECRETS) expect(comment).toMatch(new RegExp(`\\b${name}\\b`));
});

test('.dev.vars.example names every secret, and is a valid configuration of this machine', () => {
  const text = readFileSync(join(repository, '.dev.vars.example'), 'utf8');
  for (const name of SECRETS) expect(text).toMatch(new RegExp(`^(# )?${name}=`, 'm'));
  const values = [...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]);
  expect(readWorkerConfig({ ...section().vars, ...Object.fromEntries(values) })).toMatchObject({ isLocal: true });
  // Nothing of it is taken outside of this machine.
  const deployed = { ...Object.fromEntries(values), ENVIRONMENT: 'production', REGIONS: section().vars.REGIONS };
  expect(() => readWorkerConfig({ ...deployed, ...placeholders })).toThrow('got a secret of the Earshot repository');
});

interface GeneratedEnv {
  readonly name: string;
  readonly variables: readonly string[];
  readonly bindings: readonly string[];
  /** Members that at least one section lacks. */
  readonly optional: readonly string[];
}

/** The `Env` interfaces from `wrangler types`: the whole, and one per section. */
async function generateTypes(local: Readonly<Record<string, string>>): Promise<GeneratedEnv[]> {
  const envFile = join(directory, 'local.env');
  const types = join(directory, 'worker-configuration.d.ts');
  writeFileSync(envFile, formatEnvFile(local));
  const wrangler = join(repository, 'node_modules/wrangler/bin/wrangler.js');
  const args = ['types', types, '--config', config, '--env-file', envFile, '--include-runtime=false'];
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true' };
  await promisify(execFile)(process.execPath, [wrangler, ...args], { env });
  const text = readFileSync(types, 'utf8');
  return [...text.matchAll(/^\s*interface (\w+Env|__BaseEnv_Env) \{\n([\s\S]*?)^\s*\}/gm)].map(
    ([, name = '', body = '']) => {
      const members = [...body.matchAll(/^\s*(\w+)(\??): (.*);$/gm)].map(([, member = '', mark, type = '']) => ({
        member,
        isOptional: mark === '?',
        isVariable: /^(string$|")/.test(type),
      }));
      const namesOf = (isWanted: (each: (typeof members)[number]) => boolean) =>
        members.filter(isWanted).map(({ member }) => member);
      return {
        name,
        variables: namesOf(({ isVariable }) => isVariable),
        bindings: namesOf(({ isVariable }) => !isVariable),
        optional: namesOf(({ isOptional }) => isOptional),
      };
    },
  );
}

test('the types that wrangler generates have the bindings of the worker and only its variables, in every section', async () => {
  const local = edgeVariables(
    { token: secrets.TOKEN_SECRET, origin: secrets.ORIGIN_SECRET, hash: 'h'.repeat(32) },
    makeRegions(8081),
    [],
  );
  const generated = await generateTypes(local);
  expect(generated.map(({ name }) => name)).toEqual(['__BaseEnv_Env', 'StagingEnv', 'ProductionEnv']);
  for (const env of generated) {
    expect(env.optional, env.name).toEqual([]);
    expect(env.bindings, env.name).toEqual(BINDINGS);
    expect(variables, env.name).toEqual(expect.arrayContaining([...env.variables]));
    expect(env.variables, env.name).toEqual(expect.arrayContaining(Object.keys(local)));
  }
});
