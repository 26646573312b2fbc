import { describe, expect, test } from 'vitest';
import { rulesKeyOf } from '../../../src/sync/core/rules-key.ts';

const METADATA = {
  perms: true,
  times: true,
  setid: false,
  owner: false,
  xattrs: false,
  acls: false,
  hardLinks: false,
};

describe('rulesKeyOf', () => {
  test('differs with the mode and with every kind of metadata', () => {
    const keys = [
      rulesKeyOf({ mode: 'two-way-safe', metadata: METADATA }),
      rulesKeyOf({ mode: 'one-way-safe', metadata: METADATA }),
      ...Object.entries(METADATA).map(([name, isOn]) =>
        rulesKeyOf({ mode: 'two-way-safe', metadata: { ...METADATA, [name]: !isOn } }),
      ),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('is the same whatever order the options come in', () => {
    const turned = Object.fromEntries(Object.entries(METADATA).toReversed()) as typeof METADATA;
    expect(rulesKeyOf({ mode: 'two-way-safe', metadata: turned })).toBe(
      rulesKeyOf({ mode: 'two-way-safe', metadata: METADATA }),
    );
  });
});
