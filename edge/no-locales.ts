// Stands in for zod's index of translations in the bundle (the alias in wrangler.jsonc): Earshot writes its own messages.
export {};
