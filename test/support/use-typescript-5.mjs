// openapi-typescript needs the JavaScript API of TypeScript 5, which TypeScript 7 does not have. With this module
// (`node --import`) it finds the copy that @ts-morph/common carries. package.json overrides its peer dependency.
import { registerHooks } from 'node:module';

const typescript5 = import.meta.resolve('@ts-morph/common').replace(/ts-morph-common\.js$/, 'typescript.js');

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'typescript' ? { url: typescript5, shortCircuit: true } : next(specifier, context),
});
