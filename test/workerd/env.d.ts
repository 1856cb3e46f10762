// What the main module exports, for `exports` of cloudflare:workers.
declare global {
  interface ImportMeta {
    /** Of Vite: the modules whose paths match, by path. */
    glob(paths: string[], options: { query: '?raw'; import: 'default'; eager: true }): Record<string, string>;
  }
  namespace Cloudflare {
    interface GlobalProps {
      mainModule: typeof import('./support/main.ts');
    }
  }
}

export {};
