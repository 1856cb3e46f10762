// A worker without any of Earshot's code: it answers late with as many bytes as an expanded list has, in one piece, and
// reads bodies to their end. The growth of its memory is that of workerd.

const ANSWER_BYTES = 300_000;
const DELAY_MS = 20;

export default {
  async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname === '/healthz') return new Response('ok');
    const body = request.method === 'POST' ? await request.text() : '';
    await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
    return new Response(new Uint8Array(ANSWER_BYTES), { headers: { 'X-Body': String(body.length) } });
  },
};
