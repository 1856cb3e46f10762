// The image of an origin: its size, and its start-up in namespaces with a read-only root, in pairs with an origin that
// starts from this checkout.
import { assembleOriginImage, startImageOrigin } from './rigs/origin-image.ts';
import { BENCH_SECRET, startOriginProcess } from './rigs/origin-process.ts';
import { startBigtable } from './rigs/processes.ts';
import { withCleanup } from './support/cleanup.ts';
import type { BenchResult } from './support/result.ts';
import { median } from './support/statistics.ts';
import { fillTable, tableAddress } from './support/table-data.ts';

const PAIRS = 7;
const USERS = 100;

export function benchImage(): Promise<BenchResult> {
  return withCleanup(async (cleanup) => {
    const bigtable = await startBigtable();
    cleanup.add(bigtable.stop);
    await fillTable(tableAddress(bigtable.env.BIGTABLE_EMULATOR_HOST ?? ''), USERS);
    const image = await assembleOriginImage(cleanup);
    const env = { ...bigtable.env, EARSHOT_REGION: 'europe', EARSHOT_DRAIN_DELAY_MS: '0', PORT: '0' };
    const pairs: { readonly imageMs: number; readonly checkoutMs: number; readonly endMs: number }[] = [];
    for (let i = 0; i < PAIRS; i += 1) {
      const inImage = await startImageOrigin(cleanup, image, { ...env, EARSHOT_ORIGIN_SECRET: BENCH_SECRET });
      const stoppedAtMs = performance.now();
      await inImage.stop();
      const startedAtMs = performance.now();
      const inCheckout = await startOriginProcess(cleanup, env);
      const checkoutMs = performance.now() - startedAtMs;
      await inCheckout.stop();
      pairs.push({ imageMs: inImage.startUpMs, checkoutMs, endMs: startedAtMs - stoppedAtMs });
    }
    const startUpMs = Math.round(median(pairs.map(({ imageMs }) => imageMs)));
    const endMs = Math.round(median(pairs.map((pair) => pair.endMs)));
    const ratio = Number(median(pairs.map(({ imageMs, checkoutMs }) => imageMs / checkoutMs)).toFixed(2));
    const { megabytes } = image;
    return {
      report: [
        `file system of the image: ${megabytes} MB`,
        `start until ready: ${startUpMs} ms, ${ratio} times an origin of this checkout`,
        `SIGTERM until the end, idle and without a drain delay: ${endMs} ms`,
        `(medians of ${PAIRS} pairs)`,
      ].join('\n'),
      figures: { megabytes, startUpMs, startUpVsCheckout: ratio, endMs },
    };
  });
}
