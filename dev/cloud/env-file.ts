// dotenv file for wrangler with the worker's variables, one per line.

/** Throws an Error for a value that single quotes cannot hold. */
export const formatEnvFile = (variables: Readonly<Record<string, string>>): string =>
  Object.entries(variables)
    .map(([name, value]) => {
      if (/['\n]/.test(value))
        throw new Error(`expected ${name} to be one line without single quotes, got ${value.length} characters`);
      return `${name}='${value}'\n`;
    })
    .join('');
