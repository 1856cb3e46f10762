// CPU of workerd processes per request. The subjects of a round alternate in slices of a fraction of a second, so that
// other load on the machine affects all of them.
import type { Answer, Ask } from '../load/http-load.ts';
import type { Served } from '../rigs/edge-rig.ts';
import { cpuTimeMs } from '../support/cpu-time.ts';

const SLICES = 20;

export interface Cost {
  /** CPU per request. */
  readonly micros: number;
  readonly perSecond: number;
}

/** The requests to `served` in a round: `count` of them. `check` throws for a wrong answer. */
export interface Subject {
  readonly served: Served;
  readonly count: number;
  readonly askOf: (i: number) => Ask;
  readonly check: (answer: Answer, i: number) => void;
}

export async function measureRound<Name extends string>(
  subjects: Readonly<Record<Name, Subject>>,
): Promise<Readonly<Record<Name, Cost>>> {
  const spent = (Object.keys(subjects) as Name[]).map((name) => ({ name, ...subjects[name], cpuMs: 0, wallMs: 0 }));
  for (let slice = 0; slice < SLICES; slice++) {
    for (let turn = 0; turn < spent.length; turn++) {
      const subject = spent[(slice + turn) % spent.length];
      if (subject === undefined) continue;
      const { served, count, askOf, check } = subject;
      const [startedAtMs, cpuBeforeMs] = [performance.now(), cpuTimeMs(served.pid)];
      await served.load.run(count / SLICES, askOf, check);
      subject.cpuMs += cpuTimeMs(served.pid) - cpuBeforeMs;
      subject.wallMs += performance.now() - startedAtMs;
    }
  }
  const costs = spent.map(({ name, count, cpuMs, wallMs }) => [
    name,
    { micros: (cpuMs * 1000) / count, perSecond: count / (wallMs / 1000) },
  ]);
  return Object.fromEntries(costs) as Record<Name, Cost>;
}
