import { IMPLEMENTATIONS } from '../../platform/implementations.ts';

/** The native file system, where the addon is built, and the portable one. */
export const BOTH_KINDS = IMPLEMENTATIONS.filter(({ name }) => name === 'native' || name === 'portable');
