/**
 * Files with several names that this run has changed.
 *
 * A rename, a link or a chmod through one name moves the ctime of all of them, so that the records of the other names
 * would look as if somebody had edited the file. A record that held what we found before our change stands for what we
 * left; records of names that were met are renewed with their batch.
 */

import type { IndexRecord } from '../../journal/store/index.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { sameStat, unpackStat } from '../../platform/core/stat-codec.ts';
import type { Stat } from '../../platform/filesystem.ts';
import type { Ledger } from './ledger.ts';
import { isSameContent, isUntouched, packStat } from './packed-stat.ts';

interface Group {
  /** Names that were met. */
  readonly members: Set<BytePath>;
  /** What records of names not met yet hold. */
  readonly first: Uint8Array;
  /** What those of the others hold. */
  renewed: Uint8Array | null;
  /** What we left the file as. */
  now: Stat;
}

export class LinkGroups {
  readonly #groups = new Map<bigint, Group>();
  readonly #touched = new Set<Group>();

  /**
   * We changed the file whose record held `recorded`, and left it as `now`. The caller has made sure that nobody else
   * changed it in between. `path`: a name it has.
   */
  touch(path: BytePath | null, recorded: Uint8Array, now: Stat): void {
    let group = this.#groups.get(now.ino);
    if (group === undefined || !isOf(group, recorded)) {
      group = { members: new Set(), first: recorded, renewed: null, now };
      this.#groups.set(now.ino, group);
    }
    group.now = now;
    if (path !== null) group.members.add(path);
    this.#touched.add(group);
  }

  /** The record as if it had been made after our own changes of the file. */
  current(record: IndexRecord): IndexRecord {
    const { packedStat } = record;
    if (packedStat === null || this.#groups.size === 0) return record;
    const group = this.#groups.get(unpackStat(packedStat).ino);
    return group !== undefined && isOf(group, packedStat) ? { ...record, packedStat: packStat(group.now) } : record;
  }

  /** Renews the records of all names that were met of the files touched since the last time. */
  refresh(ledger: Ledger): void {
    for (const group of this.#touched) {
      const packedStat = packStat(group.now);
      for (const path of group.members) {
        const record = ledger.lookup(path);
        if (record === null || record.packedStat === null) continue;
        if (isSameContent(unpackStat(record.packedStat), group.now)) ledger.put(path, { ...record, packedStat });
      }
      group.renewed = packedStat;
    }
    this.#touched.clear();
  }
}

function isOf({ first, renewed, now }: Group, recorded: Uint8Array): boolean {
  return sameStat(first, recorded) || (renewed !== null && sameStat(renewed, recorded)) || isUntouched(now, recorded);
}
