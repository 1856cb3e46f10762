// Types of the worker under test: the exports of its main module and the tests' variables.
declare global {
  interface ImportMeta {
    /** Vite: the modules with matching paths, by path. */
    glob(paths: string[], options: { query: '?raw'; import: 'default'; eager: true }): Record<string, string>;
  }
  namespace Cloudflare {
    interface GlobalProps {
      mainModule: typeof import('./support/main.ts');
    }
    interface Env {
      /** Number of drill rounds. */
      readonly DRILL_ROUNDS: string;
    }
  }
}

export {};
