/** Names of Linux file systems by their statfs number. */

/** From linux/magic.h and the sources of the file systems themselves. ext2, ext3 and ext4 share a number. */
const NAMES = new Map<number, string>([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlay'],
  [0x2fc12fc1, 'zfs'],
  [0xf2f52010, 'f2fs'],
  [0xca451a4e, 'bcachefs'],
  [0x4d44, 'vfat'],
  [0x2011bab0, 'exfat'],
  [0x7366746e, 'ntfs3'],
  [0x5346544e, 'ntfs'],
  [0x482b, 'hfsplus'],
  [0x65735546, 'fuse'],
  [0x6969, 'nfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x00c36400, 'ceph'],
  [0x01021997, '9p'],
  [0xf15f, 'ecryptfs'],
  [0x73717368, 'squashfs'],
  [0xe0f5e1e2, 'erofs'],
  [0x9660, 'iso9660'],
  [0x15013346, 'udf'],
  [0x858458f6, 'ramfs'],
  [0x52654973, 'reiserfs'],
  [0x3153464a, 'jfs'],
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
]);

/** `ext4`, `xfs`, … or the number in hexadecimal. */
export function fileSystemTypeName(type: number): string {
  return NAMES.get(type) ?? `0x${type.toString(16)}`;
}
