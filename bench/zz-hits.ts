import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { withCleanup } from './support/cleanup.ts';
import { cpuTimeMs } from './support/cpu-time.ts';
import { runLoad } from './support/load.ts';
import { makeListsRead, mintBenchToken, startOriginProcess } from './support/origin-process.ts';
import { startBigtable } from './support/processes.ts';
import { fillTable, makeKey, makeListener, tableAddress } from './support/table-data.ts';

await withCleanup(async (cleanup) => {
  const bigtable = await startBigtable();
  cleanup.add(bigtable.stop);
  await fillTable(tableAddress(bigtable.env.BIGTABLE_EMULATOR_HOST!), 2000);
  const origin = await startOriginProcess(cleanup, {
    ...bigtable.env,
    ...(process.env.PROF ? { NODE_OPTIONS: '--cpu-prof --cpu-prof-dir=/tmp/prof' } : {}),
  });
  const token = await mintBenchToken();
  const users = Array.from({ length: 2000 }, (_, i) => makeListener(i));
  const single = users.map((u) => makeListsRead(token, [makeKey(u)]));
  const batches = Array.from({ length: 100 }, (_, b) =>
    makeListsRead(
      token,
      Array.from({ length: 100 }, (_, i) => makeKey(users[(b * 100 + i * 7) % 2000]!)),
    ),
  );
  const one = await runLoad({
    port: origin.port,
    connections: 8,
    requests: single,
    warmUpMs: 0,
    durationMs: 1500,
    maxSamples: 1000,
  });
  const bare = spawn(process.execPath, ['bench/origin-bare.ts'], { stdio: ['pipe', 'pipe', 'inherit'] });
  cleanup.add(() => {
    bare.kill();
  });
  bare.stdin!.end(Buffer.from(one.firstBody, 'latin1'));
  const [line] = await once(bare.stdout!, 'data');
  const barePort = Number(String(line));
  for (let i = 0; i < 4; i++)
    for (const [name, port, pid, requests] of [
      ['hit', origin.port, origin.pid, single],
      ['bare', barePort, bare.pid!, single],
      ['batch', origin.port, origin.pid, batches],
    ] as const) {
      const before = cpuTimeMs(pid);
      const r = await runLoad({ port, connections: 8, requests, warmUpMs: 500, durationMs: 2000, maxSamples: 100000 });
      const cpu = cpuTimeMs(pid) - before;
      console.log(
        name,
        Math.round((r.requests / r.durationMs) * 1000),
        'req/s',
        'cpu us/req',
        ((cpu * 1000) / r.requests / 1.25).toFixed(1),
        'gen cpu share',
        (r.cpuMs / r.durationMs).toFixed(2),
        'MB/s',
        (r.bytes / r.durationMs / 1000).toFixed(0),
        'p50',
        r.p50Ms.toFixed(2),
        'p99',
        r.p99Ms.toFixed(2),
      );
    }
});
process.exit(0);
