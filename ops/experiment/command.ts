// `earshot experiment`: who sees which variant. Every change is one compare-and-set of the manifest, live within 12 s.
import { Argument, Command } from 'commander';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { asOption, dryRunOption, parseMoment, parseName, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { changeLive } from '../effects/change-live.ts';
import {
  closeExperiment,
  createExperiment,
  type ExperimentForm,
  removeExperiment,
  restartExperiment,
  setExperiment,
  startExperiment,
  stopExperiment,
} from './changes.ts';
import { type FormFlags, parseForm, parsePercent } from './form.ts';
import { countMoves, type Move, SAMPLE } from './moves.ts';
import { explainUser, listExperiments, showExperiment } from './queries.ts';
import { reportRatio } from './report-ratio.ts';
import { describeArms } from './slots.ts';
import { setExposure, setHoldout, setOutsideArms } from './surface-changes.ts';

interface Flags extends ControlFlags, FormFlags {
  readonly surface?: string;
  readonly layer?: string;
  readonly why?: string;
  readonly as?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const help = (...calls: readonly string[]): string =>
  `\nExample${calls.length === 1 ? '' : 's'}:\n${calls.map((call) => `  $ npx earshot experiment ${call}\n`).join('')}`;

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** Options of everything that changes an experiment. */
const withWriteOptions = (command: Command): Command =>
  command
    .addOption(asOption())
    .addOption(whyOption().makeOptionMandatory())
    .addOption(dryRunOption())
    .option('--json', 'print JSON')
    .addOption(controlProfileOption());

/** Options of its form. */
const withForm = (command: Command): Command =>
  command
    .option('--arm <variant=percent>', 'share of the experiment that an arm has, several times', collect)
    .option('--size <percent>', 'share of the layer (default: what is free)')
    .option('--slots <ranges>', 'slots of the layer instead, for example `0-999,2000-2999`')
    .option('--control <variant>', 'the arm that others are compared with (default: `control`, or the first)')
    .option('--country <code>', 'only users in that country, several times', collect)
    .option('--claim <name=value>', 'only users whose token has that claim, several times', collect)
    .option('--allow <variant=user>', 'a user who gets that arm, several times', collect)
    .option('--disallow <user>', 'a user who is drawn like all others again, several times', collect)
    .option('--salt <text>', 'text that draws the arms (default: a new one)');

const CREATE = 'create ranking --surface home --size 20 --arm control=50 --arm knn=50 --why "offline it wins"';

export const makeExperimentCommand = (): Command =>
  new Command('experiment')
    .addCommand(
      withWriteOptions(withForm(new Command('create')))
        .description('Makes a draft. It has slots of its layer, and no users.')
        .argument('<experiment>', 'a new name', parseName)
        .requiredOption('--surface <surface>', 'surface, for example `home`', parseName)
        .option('--layer <layer>', 'layer (default: named after the surface)', parseName)
        .addHelpText('after', help(CREATE))
        .action(async (name: string, _options: unknown, own: Command) => create(name, own.optsWithGlobals())),
    )
    .addCommand(changing('start', 'Lets users into the arms of a draft.', startExperiment, 'start ranking --why "go"'))
    .addCommand(
      withWriteOptions(withForm(new Command('set')))
        .description('Grows arms or slots: users who are in an arm stay there.')
        .argument('<experiment>', 'for example `ranking`', parseName)
        .addHelpText('after', help('set ranking --size 40 --why "no harm seen" --dry-run'))
        .action(async (name: string, _options: unknown, own: Command) =>
          change('set', name, own.optsWithGlobals(), setExperiment),
        ),
    )
    .addCommand(changing('close', 'Ends the intake: nothing grows.', closeExperiment, 'close ranking --why "enough"'))
    .addCommand(changing('stop', 'Takes all users out.', stopExperiment, 'stop ranking --why "knn lost"'))
    .addCommand(
      changing(
        'remove',
        'Takes a draft or a stopped one off the list.',
        removeExperiment,
        'remove ranking --why "old"',
      ),
    )
    .addCommand(
      withWriteOptions(withForm(new Command('restart')))
        .description("Draws every user's arm again.")
        .argument('<experiment>', 'for example `ranking`', parseName)
        .addHelpText('after', help('restart ranking --arm control=90 --arm knn=10 --why "too large"'))
        .action(async (name: string, _options: unknown, own: Command) =>
          change('restart', name, own.optsWithGlobals(), restartExperiment),
        ),
    )
    .addCommand(
      withWriteOptions(new Command('holdout'))
        .description('A share of users who get the control variant, whatever experiments run. 0 ends it.')
        .argument('<percent>', 'for example `5`')
        .option('--surface <surface>', 'of this surface alone (default: of all)', parseName)
        .addHelpText('after', help('holdout 5 --why "the quarter\'s baseline"'))
        .action(async (share: string, _options: unknown, own: Command) => holdout(share, own.optsWithGlobals())),
    )
    .addCommand(
      withWriteOptions(new Command('count'))
        .description('When a user of the surface counts: when the app says that a list was shown, or at the answer.')
        .argument('<surface>', 'for example `home`', parseName)
        .addArgument(new Argument('<when>', 'when').choices(['shown', 'served'] as const))
        .addHelpText('after', help('count home served --why "this surface shows every answer"'))
        .action(async (surface: string, when: 'shown' | 'served', _options: unknown, own: Command) =>
          changeSurfaces(`count ${surface} ${when}`, surface, own.optsWithGlobals(), (live) =>
            setExposure(live, surface, when),
          ),
        ),
    )
    .addCommand(
      withWriteOptions(new Command('outside'))
        .description('Whether the claim earshot_arms of a token may name the variant of the surface.')
        .argument('<surface>', 'for example `home`', parseName)
        .addArgument(new Argument('<rule>', 'rule').choices(['allow', 'refuse'] as const))
        .addHelpText('after', help('outside home allow --why "another system assigns"'))
        .action(async (surface: string, rule: 'allow' | 'refuse', _options: unknown, own: Command) =>
          changeSurfaces(`outside ${surface} ${rule}`, surface, own.optsWithGlobals(), (live) =>
            setOutsideArms(live, surface, rule === 'allow'),
          ),
        ),
    )
    .addCommand(
      new Command('list')
        .description('All experiments: surface, layer, state, size and arms.')
        .option('--json', 'print JSON')
        .addOption(controlProfileOption())
        .addHelpText('after', help('list'))
        .action(async (_options: unknown, own: Command) => listExperiments(own.optsWithGlobals())),
    )
    .addCommand(
      new Command('show')
        .description('One experiment, and its history.')
        .argument('<experiment>', 'for example `ranking`', parseName)
        .option('--json', 'print JSON')
        .addOption(controlProfileOption())
        .addHelpText('after', help('show ranking'))
        .action(async (name: string, _options: unknown, own: Command) => showExperiment(name, own.optsWithGlobals())),
    )
    .addCommand(
      new Command('srm')
        .description(
          'Whether users of the arms are as many as their shares say, and if not, whether Earshot is the cause.',
        )
        .argument('<experiment>', 'for example `ranking`', parseName)
        .option('--since <moment>', 'the first exposure (default: 14 days ago)', parseMoment)
        .option('--file <file>', 'NDJSON of `earshot exposures export`, instead of the archive')
        .option('--edge <url>', 'base URL of the worker (or EARSHOT_EDGE_URL; default: the local cloud)')
        .option('--json', 'print JSON')
        .addOption(controlProfileOption())
        .addHelpText('after', help('srm ranking', 'srm ranking --file exposures.ndjson --json'))
        .action(async (name: string, _options: unknown, own: Command) => reportRatio(name, own.optsWithGlobals())),
    )
    .addCommand(
      new Command('explain')
        .description('Which variant a user gets on each surface, and why.')
        .argument('<user>', 'for example `lastfm:2`')
        .option('--country <code>', "the user's country", collect)
        .option('--claim <name=value>', "a claim of the user's token, several times", collect)
        .option('--outside <surface=variant>', "of the token's claim earshot_arms, several times", collect)
        .option('--json', 'print JSON')
        .addOption(controlProfileOption())
        .addHelpText('after', help('explain lastfm:2 --country SE'))
        .action(async (user: string, _options: unknown, own: Command) => explainUser(user, own.optsWithGlobals())),
    );

const changing = (
  verb: string,
  description: string,
  apply: (live: Manifest, name: string) => Manifest,
  example: string,
): Command =>
  withWriteOptions(new Command(verb))
    .description(description)
    .argument('<experiment>', 'for example `ranking`', parseName)
    .addHelpText('after', help(example))
    .action(async (name: string, _options: unknown, own: Command) => change(verb, name, own.optsWithGlobals(), apply));

async function create(name: string, flags: Flags): Promise<void> {
  const { surface = '', layer } = flags;
  const form = parseForm(flags);
  const { arms } = form;
  if (arms === undefined) throw new UsageError('expected at least one --arm variant=percent, got none');
  await change('create', name, flags, (live) => createExperiment(live, name, { ...form, arms, surface, layer }));
}

async function change(
  verb: string,
  name: string,
  flags: Flags,
  apply: (live: Manifest, name: string, form: ExperimentForm, nowMs: number) => Manifest,
): Promise<void> {
  if ((flags.why ?? '').trim() === '') throw new UsageError('expected --why to have the reason, got an empty text');
  const form = parseForm(flags);
  await confirmWrite(flags);
  await withControl(flags, (control) => {
    let before: Manifest | undefined;
    return changeLive(control, flags, {
      what: `experiment ${verb} ${name}`,
      change: (live, nowMs) => {
        before = live;
        return apply(live, name, form, nowMs);
      },
      done: (next) => describeChange(before ?? next, next, name),
      data: (next) => ({ experiment: next.experiments?.[name], ...movesOf(before ?? next, next, name) }),
    });
  });
}

async function holdout(percentage: string, flags: Flags): Promise<void> {
  const { surface } = flags;
  const share = parsePercent('the share', percentage);
  const what = `holdout ${percentage}${surface === undefined ? '' : ` --surface ${surface}`}`;
  await changeSurfaces(what, surface, flags, (live) => setHoldout(live, surface, share));
}

/** A change that is no experiment's, of one surface or of all. */
async function changeSurfaces(
  what: string,
  surface: string | undefined,
  flags: Flags,
  apply: (live: Manifest) => Manifest,
): Promise<void> {
  if ((flags.why ?? '').trim() === '') throw new UsageError('expected --why to have the reason, got an empty text');
  await confirmWrite(flags);
  await withControl(flags, (control) => {
    let before: Manifest | undefined;
    const movesIn = (next: Manifest) =>
      (surface === undefined ? Object.keys(next.surfaces) : [surface]).map(
        (name) => [name, countMoves(before ?? next, next, name)] as const,
      );
    return changeLive(control, flags, {
      what: `experiment ${what}`,
      change: (live) => {
        before = live;
        return apply(live);
      },
      done: (next) =>
        [what, ...movesIn(next).flatMap(([name, moves]) => describeMoves(`${SAMPLE} users of ${name}`, moves))].join(
          '\n',
        ),
      data: (next) => ({ sample: SAMPLE, moves: Object.fromEntries(movesIn(next)) }),
    });
  });
}

function describeChange(before: Manifest, next: Manifest, name: string): string {
  const experiment = next.experiments?.[name];
  const { moves } = movesOf(before, next, name);
  const state =
    experiment === undefined ? `${name} is removed` : `${name} is ${experiment.state}: ${describeArms(experiment)}`;
  return [state, ...describeMoves(`${SAMPLE} users that it targets`, moves)].join('\n');
}

function movesOf(before: Manifest, next: Manifest, name: string): { readonly sample: number; readonly moves: Move[] } {
  const experiment = next.experiments?.[name] ?? before.experiments?.[name];
  const moves = experiment === undefined ? [] : countMoves(before, next, experiment.surface, experiment.targeting);
  return { sample: SAMPLE, moves };
}

const describeMoves = (of: string, moves: readonly Move[]): string[] => [
  `of ${of}, ${moves.reduce((sum, { users }) => sum + users, 0)} move`,
  ...moves.map(({ from, to, users }) => `  ${from} -> ${to}: ${users}`),
];
