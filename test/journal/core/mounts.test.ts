import { describe, expect, test } from 'vitest';
import { parseMounts, pathBelow, placeOf } from '../../../src/journal/core/mounts.ts';

const TABLE = `
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 8:2 / /home rw - ext4 /dev/sda2 rw
31 30 8:2 /anna/docs /srv/docs rw - ext4 /dev/sda2 rw
32 21 0:40 /@data /data rw - btrfs /dev/sdb rw
33 32 0:50 / /data/in\\040memory rw - tmpfs tmpfs rw
34 30 8:3 / /home rw - xfs /dev/sdc rw
not a mount
`;
const mounts = parseMounts(TABLE);

describe('parseMounts', () => {
  test('lines of another form are left out; octal numbers are bytes', () => {
    expect(mounts.map(({ id }) => id)).toEqual([21, 30, 31, 32, 33, 34]);
    expect(mounts[0]).toEqual({ id: 21, device: '8:1', root: '', point: '' });
    expect(mounts[4]?.point).toBe('/data/in memory');
    expect(parseMounts('1 2 8:1 /a\\134\\012b /\\377 rw - x y z')[0]).toMatchObject({
      root: '/a\\\nb',
      point: '/\xff',
    });
  });
});

describe('placeOf', () => {
  test.each([
    ['/etc/passwd', 0, '8:1', '/etc/passwd'],
    ['/', 21, '8:1', '/'],
    ['', 0, '8:1', ''],
    // The later one of two at the same place hides the other.
    ['/home/anna/docs/f', 0, '8:3', '/anna/docs/f'],
    // Unless it was opened through that.
    ['/home/anna/docs/f', 30, '8:2', '/anna/docs/f'],
    ['/srv/docs/f', 0, '8:2', '/anna/docs/f'],
    ['/srv/docs2/f', 0, '8:1', '/srv/docs2/f'],
    ['/data/f', 0, '0:40', '/@data/f'],
    ['/data/in memory/f', 0, '0:50', '/f'],
    ['/srv/docs', 0, '8:2', '/anna/docs'],
  ])('%s through %d', (name, mount, device, path) => {
    expect(placeOf(mounts, name, mount)).toEqual({ device, path });
  });

  test('nowhere', () => {
    expect(placeOf(mounts, '/srv/docs/f', 99)).toBeNull();
    expect(placeOf(mounts, '/etc/f', 31)).toBeNull();
    expect(placeOf([], '/etc/f', 0)).toBeNull();
    expect(placeOf(mounts, 'anon_inode:[io_uring]', 0)).toBeNull();
  });
});

describe('pathBelow', () => {
  const top = { device: '8:2', path: '/anna' };
  test.each([
    ['8:2', '/anna/docs/f', 'docs/f'],
    ['8:2', '/anna', ''],
    ['8:2', '/annabel/f', null],
    ['8:2', '/other', null],
    ['8:3', '/anna/docs/f', null],
  ])('%s %s', (device, path, expected) => {
    expect(pathBelow({ device, path }, top)).toBe(expected);
  });

  test('the top of a file system', () => {
    expect(pathBelow({ device: '8:2', path: '/f' }, { device: '8:2', path: '' })).toBe('f');
  });
});
