// Health check of the image: ends with 0 if the origin is ready. Compiled code and a shell are not in the image.
const { PORT = '8080' } = process.env;
const TIMEOUT_MS = 2000;

try {
  const { ok } = await fetch(`http://127.0.0.1:${PORT}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  process.exitCode = ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
