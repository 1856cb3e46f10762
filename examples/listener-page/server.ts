// Serves the example page: `node examples/listener-page/server.ts [--port 8090] [--edge http://127.0.0.1:8787]`.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { port: { type: 'string', default: '8090' }, edge: { type: 'string', default: 'http://127.0.0.1:8787' } },
});
const page = readFileSync(join(import.meta.dirname, 'page.html'), 'utf8').replace('EDGE_URL', values.edge);

const server = createServer((request, response) => {
  if (request.url === '/') response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page);
  else response.writeHead(404).end();
});
server.listen(Number(values.port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${values.port} shows lists from ${values.edge}`);
});
