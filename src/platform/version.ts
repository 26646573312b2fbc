import packageJson from '../../package.json' with { type: 'json' };

/** Version of the program, as the package says it. */
export const VERSION: string = packageJson.version;
