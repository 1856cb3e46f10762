// What the main module exports, for `exports` of cloudflare:workers.
declare global {
  namespace Cloudflare {
    interface GlobalProps {
      mainModule: typeof import('../../edge/worker.ts');
    }
  }
}

export {};
