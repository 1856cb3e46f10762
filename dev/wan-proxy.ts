// The way from a caller to a region, made as long as it would be: a proxy before an origin that holds each request back for the round trip from
// where the caller says it is.
import { once } from 'node:events';
import { createServer, type Server, request as sendRequest } from 'node:http';
import { type Clock, pause } from '../shared/clock.ts';
import { DEV_LOCATION_HEADER, distanceKm, estimateRoundTripMs, type Region } from '../shared/regions.ts';
import { DEFAULT_DEV_LOCATION, DEV_LOCATIONS } from './topology.ts';

/** Listens where `region` has its origin and passes everything on to `targetPort` of this machine, until it is closed. */
export async function startWanProxy(region: Region, targetPort: number, clock: Clock): Promise<Server> {
  const server = createServer(async (incoming, outgoing) => {
    const code = incoming.headers[DEV_LOCATION_HEADER.toLowerCase()];
    const place = DEV_LOCATIONS[String(code ?? DEFAULT_DEV_LOCATION)];
    if (place !== undefined) await pause(clock, estimateRoundTripMs(distanceKm(place, region)));
    const { url, method, headers } = incoming;
    const target = sendRequest({ host: '127.0.0.1', port: targetPort, path: url, method, headers }, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    target.on('error', () => outgoing.destroy());
    outgoing.on('close', () => target.destroy());
    incoming.pipe(target);
  });
  const { port } = new URL(region.origin);
  server.listen(Number(port), '127.0.0.1');
  await once(server, 'listening');
  return server;
}
