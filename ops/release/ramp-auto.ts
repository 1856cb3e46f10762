// The duration of a ramp. With `auto` it is as long as lists usually stay in the caches of the regions: then the cold
// reads of the ramp come no faster than lists leave the caches anyway.
import type { ControlTable } from '../bigtable/control-table.ts';
import { liveHeartbeats, readHeartbeats } from '../bigtable/heartbeats.ts';
import type { Plan } from '../bigtable/open-release.ts';
import { formatDuration } from '../cli/format.ts';

/** Without a measurement. */
const DEFAULT_RAMP_MS = 600_000;
const MAX_RAMP_MS = 21_600_000;

export async function rampMsOf(
  control: ControlTable,
  ramp: Plan['ramp'],
  say: (line: string) => void,
): Promise<number> {
  if (ramp !== 'auto') return ramp ?? 0;
  const all = liveHeartbeats(await readHeartbeats(control), control.retries.clock.now());
  const measured = all.flatMap(({ residenceMs }) => residenceMs ?? []);
  const rampMs = Math.min(MAX_RAMP_MS, Math.max(...measured, 0)) || DEFAULT_RAMP_MS;
  say(
    measured.length === 0
      ? `ramp: ${formatDuration(rampMs)}, because no region has told how long lists stay in its cache`
      : `ramp: ${formatDuration(rampMs)}, as long as lists stay in the caches of the regions`,
  );
  return rampMs;
}
