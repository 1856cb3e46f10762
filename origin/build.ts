// The name of this build, for people: the version of the package, then `+` and EARSHOT_BUILD if it is set.
import packageJson from '../package.json' with { type: 'json' };

export const nameBuild = (build: string | undefined): string =>
  build === undefined ? packageJson.version : `${packageJson.version}+${build}`;
