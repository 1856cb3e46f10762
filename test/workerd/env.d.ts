// Types of the worker under test: the exports of its main module, and the variables that tests read.
declare global {
  interface ImportMeta {
    /** Vite: the modules whose paths match, by path. */
    glob(paths: string[], options: { query: '?raw'; import: 'default'; eager: true }): Record<string, string>;
  }
  namespace Cloudflare {
    interface GlobalProps {
      mainModule: typeof import('./support/main.ts');
    }
    interface Env {
      /** Rounds of a drill, a whole number. */
      readonly DRILL_ROUNDS: string;
    }
  }
}

export {};
