/*
 * The checkpoint protocol of the change journal, for SPIN.
 *
 * One file, one or two writers, the kernel between them and the journal, the journal (recorder, checkpoints,
 * verification) and one consumer that copies what is proven. Nothing is counted: writers write, checkpoints are taken and
 * faults happen as often as they like, so a clean run speaks of any number of each. README.md beside this file maps the
 * steps to the protocol and says how to run it.
 *
 *   -DFIRST=… -DSECOND=…   the kinds of the two writers: BUFFERED, MMAP, AIO, DIRECT; the second may be NOBODY
 *   -DFAULT_…              OVERFLOW of the queue; death of the WORKER, of the whole DAEMON; loss of POWER
 *   -DMUTANT_…             one rule of the protocol broken: SPIN must find an error
 *   -DLIMIT_…              something the protocol is known not to cover, let in: SPIN must find it
 *   -DASSUME_…             something a file system may promise
 *   -DREMEDY_…  -DVARIANT_…  what else would do
 *   -DWITNESS_QUIESCENCE   the end must be reachable, or P1 would say nothing: SPIN must find it
 *
 * What must hold:
 *   P1  Quiescence. No writer is left, a checkpoint is taken, verified, told and acknowledged: then the consumer's view is
 *       the file's content.
 *   P2  Nothing is lost. Whenever nothing is outstanding (the object is in no period, no event is queued, no gap is open,
 *       no writer is left) the index and the consumer's view are the file's content.
 *   P3  A checkpoint is complete. If the content was not the index's when the checkpoint began, the object is in a closed
 *       period when it ends, or has been proven meanwhile.
 *   P4  A proof is true. When it is recorded, the digest is that of the file's content, and that content is on disk.
 */

#define NOBODY 0
#define BUFFERED 1
#define MMAP 2
#define AIO 3
#define DIRECT 4

#ifndef FIRST
#define FIRST BUFFERED
#endif
#ifndef SECOND
#define SECOND MMAP
#endif

#define KIND(writer) (writer == 0 -> FIRST : SECOND)

/*
 * Two things are left out where nobody asks for them, to keep the search small. Stamps are read by scans, and by a
 * verification that has no lease. The disk differs from the cache for direct writers and after faults.
 */
#if defined(FAULT_OVERFLOW) || defined(FAULT_WORKER) || defined(FAULT_DAEMON) || defined(FAULT_POWER)
#define SOME_FAULT
#endif
#if defined(SOME_FAULT) || defined(MUTANT_NO_LEASE)
#define STAMPS_COUNT
#endif
#if FIRST >= AIO || SECOND >= AIO || defined(STAMPS_COUNT) || defined(MUTANT_NO_FDATASYNC)
#define DISK_COUNTS
#endif

/* -DTABLE starts nothing but the process at the end of this file, which prints the journal's transitions. */
#ifdef TABLE
#define AT_START
#else
#define AT_START active
#endif

/* ---- The file ---------------------------------------------------------------------------------------------------- */

byte cache;               /* the content that a read returns */
byte disk;                /* the content that a power loss leaves */
bool cache_is_dirty;      /* the cache will be written back to the disk */
bool page_is_writable[2]; /* this writer's mapping stores without a fault, so without a stamp */
bool write_back_error;    /* a direct write could not drop the cached page; the next fdatasync is told */
byte stamp;               /* size, mtime and ctime in one: the stat */

/* What the file holds once the cache is written back or dropped. */
#define CONTENT (cache_is_dirty -> cache : disk)

/* ---- The writers, as the kernel knows them ----------------------------------------------------------------------- */

byte open_writers;      /* descriptions open for writing, to the very end of their last close: a lease is refused */
byte visible_writers;   /* those that /proc shows; a closed descriptor with IO in flight is not among them */
byte unreported_closes; /* no longer visible, CLOSE_WRITE not yet queued */
byte unfinished_writes; /* system calls that have not returned, IO that has not completed */
bool lease;             /* the verifier holds the read lease */
bool lease_is_broken;   /* a writer waits in open() for its release */
bool is_killed[2];      /* this writer's machine lost power */

/* ---- The fanotify group ------------------------------------------------------------------------------------------ */

bool listening; /* the group exists */
bool mark;      /* the evictable ignore mark: the object is silenced */
bool overflow;  /* Q_OVERFLOW is queued; what comes after it is dropped */
/*
 * The object's events that are queued, merged into one. The kernel merges those of one process only; merging all is the
 * worst case, since every further event would only record the object once more.
 */
bool queued;

/* ---- The journal's store: outlives its processes ----------------------------------------------------------------- */

mtype = { recording, pending };

bool recorded;    /* in the open period */
bool transition;  /* recorded while a checkpoint was pending: belongs to the period it closes and to the next */
bool hot;         /* a writer was seen, or the lease was refused: belongs to every period until it is proven */
bool unproven;    /* its content must be read under proof */
bool closed;      /* in a closed period, not yet told to the consumer */
bool told;        /* in a closed period that was told to the consumer without proof and is not acknowledged */
bool gap;         /* something may have been missed; a scan will close it */
bool distrust;    /* the gap is an unclean boot: an equal stat proves nothing */
byte digest;      /* the index: the content that was last proven */
byte index_stamp; /*            and the stat it had */

/* What a power loss leaves of it: recording an event is not synced, a transaction is. */
bool durable_recorded, durable_transition, durable_hot, durable_unproven;

/* ---- The worker's memory ----------------------------------------------------------------------------------------- */

mtype phase = recording;
bool is_up;          /* the worker runs */
bool has_crashed;    /* and must recover first */
byte read_content;   /* what the verifier has read */
byte stamp_before;   /* the stat before it read */
bool mark_is_wanted; /* only in MUTANT_LATE_MARK */

/* ---- The consumer, the end, and what the properties remember ----------------------------------------------------- */

byte view;     /* the consumer's copy */
bool finished; /* no writer opens any more, no fault happens, the journal takes its last checkpoint */
bool owed;     /* the content was not the index's when the pending checkpoint began */

/* ---- Names of contents and stamps -------------------------------------------------------------------------------- */

/*
 * Only equality is ever asked of them. After each change they are renamed in the order of their holders, so that states
 * which differ in names only are one state; NEW is never a name, so it differs from all that is held.
 */
#define NEW 5

byte name[6];
byte names;

inline give_name(holder) {
  if
  :: name[holder] == 0 -> names++; name[holder] = names
  :: else
  fi;
  holder = name[holder] - 1
}

inline forget_names() {
  names = 0; name[0] = 0; name[1] = 0; name[2] = 0; name[3] = 0; name[4] = 0; name[5] = 0
}

inline rename_contents() {
  give_name(digest); give_name(view); give_name(cache); give_name(disk); give_name(read_content);
  forget_names()
}

inline rename_stamps() {
#ifdef STAMPS_COUNT
  give_name(index_stamp); give_name(stamp); give_name(stamp_before);
  forget_names()
#else
  skip
#endif
}

/* ---- Kernel ------------------------------------------------------------------------------------------------------ */

inline move_stamp() {
#ifdef STAMPS_COUNT
  stamp = NEW;
  rename_stamps()
#else
  skip
#endif
}

inline change_cache() {
  cache = NEW;
#ifdef DISK_COUNTS
  cache_is_dirty = true;
#else
  disk = NEW;
#endif
  rename_contents()
}

/* Write-back write-protects the page, so that the next store through a mapping faults and moves the stamp. */
inline write_back() {
  if
  :: cache_is_dirty ->
     disk = cache; cache_is_dirty = false;
     page_is_writable[0] = false; page_is_writable[1] = false
  :: else
  fi
}

/* The events of a silenced object are dropped, like all events while nobody listens or after an overflow. */
inline notify() {
  if
  :: listening && !mark && !overflow -> queued = true
#ifdef FAULT_OVERFLOW
  :: listening && !mark && !overflow -> overflow = true /* other objects' events have filled the queue */
#endif
  :: !listening || mark || overflow
  fi
}

/* At any time the page is written back, a page that disagrees with the disk is dropped, the ignore mark is evicted. */
AT_START proctype kernel() {
end_kernel:
  do
  :: d_step { cache_is_dirty -> write_back(); rename_contents() }
  :: d_step { !cache_is_dirty && cache != disk -> cache = disk; rename_contents() }
  :: d_step { mark -> mark = false }
#ifdef LIMIT_ERROR_SEEN
  :: d_step { write_back_error -> write_back_error = false } /* an application's own fsync was told */
#endif
  od
}

/* ---- Writers ----------------------------------------------------------------------------------------------------- */

/* The stamp moves before the data is copied, and the data is not copied at once. */
inline write_through_cache() {
  d_step { unfinished_writes++; move_stamp() };
  d_step { change_cache() };
  d_step { change_cache() }
}

/* Past the cache: the page is written back first, and dropped when the data has landed. */
inline submit_direct() {
  d_step { unfinished_writes++; move_stamp(); write_back(); rename_contents() }
}

/*
 * The page cannot be dropped if others dirtied it meanwhile, and may resist if others use the cache at all. Readers then
 * get the old bytes until it goes, and the error is kept for fdatasync.
 */
inline land_direct(other) {
  disk = NEW;
  if
  :: !cache_is_dirty -> cache = disk
  :: cache_is_dirty -> write_back_error = true
  :: !cache_is_dirty && open_writers > 1 && KIND(other) != DIRECT -> write_back_error = true
  fi;
  d_step { rename_contents() }
}

proctype writer(bit me) {
  bool in_flight;
end_alive:
  {
end_idle:
    do
    :: d_step { !finished && lease && !lease_is_broken -> lease_is_broken = true } /* and waits for its release */
    :: d_step { !finished && !lease -> open_writers++; visible_writers++ };
       do
       :: KIND(me) == BUFFERED -> write_through_cache(); atomic { notify(); unfinished_writes-- }

       :: KIND(me) == DIRECT -> submit_direct(); atomic { land_direct(1 - me) };
          atomic { notify(); unfinished_writes-- }

       /* A store to a page that is dirty already moves nothing and tells nobody. */
       :: d_step { KIND(me) == MMAP && page_is_writable[me] -> change_cache() }
       :: d_step {
            KIND(me) == MMAP && !page_is_writable[me] -> page_is_writable[me] = true;
#ifndef LIMIT_STORES_MOVE_NO_STAMP
            move_stamp();
#endif
#ifdef DISK_COUNTS
            cache_is_dirty = true
#endif
          }

       /* libaio gives no MODIFY, whether it goes past the cache or through it. */
       :: KIND(me) == AIO && !in_flight -> submit_direct(); in_flight = true
       :: atomic { KIND(me) == AIO && in_flight -> land_direct(1 - me); unfinished_writes--; in_flight = false }
       :: atomic { KIND(me) == AIO && in_flight -> d_step { change_cache(); unfinished_writes-- }; in_flight = false }

       /* The last unmap and close, with CLOSE_WRITE before a lease is possible again. */
       :: atomic { !in_flight -> visible_writers--; page_is_writable[me] = false; notify() } -> break

       /* With IO in flight the descriptor is gone from /proc at once, and all else waits. */
       :: d_step { in_flight -> visible_writers--; unreported_closes++ };
          atomic { land_direct(1 - me); unfinished_writes--; in_flight = false };
          atomic { notify(); unreported_closes-- } -> break
       od;
       open_writers--
    od
  } unless {
    d_step { is_killed[me] -> is_killed[me] = false; in_flight = false };
    goto end_alive
  }
}

/* ---- Journal: transitions of the store --------------------------------------------------------------------------- */

inline make_durable() {
#if defined(FAULT_POWER) || defined(MUTANT_RECORD_IN_MEMORY)
  durable_recorded = recorded; durable_transition = transition; durable_hot = hot; durable_unproven = unproven
#else
  skip
#endif
}

inline add_to_open_period() {
  if
  :: phase == pending -> transition = true
  :: else -> recorded = true
  fi
}

/* An event was read. Taking it from the queue and storing it is one step: a worker that dies loses none. */
inline record() { add_to_open_period(); unproven = true }

inline refuse() {
#ifdef MUTANT_DROP_ON_REFUSAL
  recorded = false; transition = false; hot = false; unproven = false; closed = false
#else
  hot = true
#endif
}

/* A hot object is in the open period because it is hot; now that it is not, it must be there in its own right. */
inline prove() {
  unproven = false;
  if
  :: hot -> hot = false;
#ifndef MUTANT_FORGET_PROVEN_HOT
     add_to_open_period()
#endif
  :: else
  fi;
  make_durable()
}

/* From here on a reading counts for the period that is being closed, so no older one does. */
inline demand_proofs() {
  if
  :: recorded || transition || hot -> unproven = true
  :: else
  fi
}

inline see_writer() { hot = true; unproven = true }

/* One durable transaction. */
inline commit() {
#ifdef MUTANT_TRANSITION_INTO_OPEN_ONLY
  closed = closed || recorded || hot;
#else
  closed = closed || recorded || transition || hot;
#endif
#ifdef MUTANT_TRANSITION_INTO_CLOSED_ONLY
  recorded = false;
#else
  recorded = transition;
#endif
  transition = false;
  phase = recording;
  make_durable()
}

/* changes(): the closed periods and the open one. The consumer copies what is proven. */
inline tell() {
  if
  :: closed -> told = unproven; closed = false
  :: else
  fi
}

/* What was told without proof may not leave with its period: it moves to the open one. */
inline acknowledge() {
#ifndef MUTANT_ACKNOWLEDGE_DROPS_UNPROVEN
  if
  :: told && !hot -> recorded = true
  :: else
  fi;
#endif
  told = false;
  make_durable()
}

/* A worker starts after another was killed. A checkpoint that was pending did not happen. */
inline recover() {
#ifndef MUTANT_FORGET_TRANSITION
  recorded = recorded || transition;
#endif
  transition = false;
#ifdef MUTANT_FORGET_HOT
  hot = false;
#endif
  phase = recording
}

/* ---- Journal: the recorder --------------------------------------------------------------------------------------- */

/* What the index does not know by its stat is recorded; after an unclean boot, what it does not know by its content. */
inline scan() {
  if
  :: stamp != index_stamp || (distrust && cache != digest) -> record()
  :: else
  fi;
  gap = false;
  distrust = false
}

AT_START proctype recorder() {
end_recorder:
  do
  :: atomic {
       is_up && queued -> queued = false;
       record();
       if
#ifdef MUTANT_LATE_MARK
       :: mark_is_wanted = true
#else
       :: mark = true /* the object is busy: silence it */
#endif
       :: true
       fi
     }
#ifdef MUTANT_LATE_MARK
  :: d_step { is_up && mark_is_wanted -> mark_is_wanted = false; mark = true }
#endif
#ifdef MUTANT_IGNORE_OVERFLOW
  :: d_step { is_up && overflow -> overflow = false }
#else
  :: d_step { is_up && overflow -> overflow = false; gap = true }
#endif
  :: d_step { is_up && gap -> scan() }
  od
}

/* ---- Journal: verification --------------------------------------------------------------------------------------- */

inline release() {
  lease = false; lease_is_broken = false; read_content = 0; stamp_before = 0;
  rename_contents();
  rename_stamps()
}

inline fdatasync() {
#ifndef MUTANT_NO_FDATASYNC
  write_back();
  if
  :: write_back_error -> write_back_error = false;
#ifndef MUTANT_IGNORE_WRITE_BACK_ERROR
     cache = disk
#endif
  :: else
  fi;
#ifdef REMEDY_READ_PAST_CACHE
  cache = disk;
#endif
#endif
  rename_contents()
}

inline verify() {
  if
#ifdef MUTANT_NO_LEASE
  :: d_step { true -> fdatasync(); stamp_before = stamp; rename_stamps() };
#else
  :: d_step { open_writers > 0 -> refuse() }
  :: d_step { open_writers == 0 -> lease = true; fdatasync(); stamp_before = stamp; rename_stamps() };
#endif
     d_step { read_content = cache; rename_contents() };
     d_step {
       if
       :: lease_is_broken || stamp != stamp_before -> refuse()
       :: else ->
          assert(read_content == CONTENT && read_content == disk);
          digest = read_content;
          index_stamp = stamp;
          prove();
          owed = false
       fi;
       release()
     }
  fi
}

/* ---- Journal: the checkpoint ------------------------------------------------------------------------------------- */

/* FAN_MARK_FLUSH. */
inline flush() {
#ifdef MUTANT_NO_FLUSH
  skip
#else
  mark = false
#endif
}

/*
 * Whoever is seen makes the object hot. Who has just closed is not seen, and has queued its CLOSE_WRITE for the drain; who
 * is between the two, in close() or with IO in flight behind a closed descriptor, comes with a later period.
 */
inline census() {
  d_step {
#ifndef MUTANT_NO_CENSUS
    if
    :: visible_writers > 0 -> see_writer()
    :: else
    fi;
#endif
#ifndef LIMIT_UNSEEN_CLOSE
    owed = owed && unreported_closes == 0
#endif
  }
}

/* The queue has been empty once, and no gap is open. */
inline drain() {
#ifdef MUTANT_NO_DRAIN
  skip
#else
  !queued && !overflow && !gap
#endif
}

/* Verification may begin before the commit. */
inline begin_reading() {
  d_step { demand_proofs() };
  if
  :: unproven -> verify()
  :: true
  fi
}

inline checkpoint() {
  d_step {
    phase = pending;
    owed = (CONTENT != digest && unreported_closes == 0 && unfinished_writes == 0)
  };
#if defined(MUTANT_READ_BEFORE_FLUSH)
  begin_reading(); flush(); census(); drain();
#elif defined(MUTANT_FLUSH_AFTER_DRAIN)
  census(); drain(); begin_reading(); flush();
#elif defined(VARIANT_FLUSH_AFTER_DRAIN)
  census(); drain(); flush(); begin_reading();
#elif defined(MUTANT_CENSUS_AFTER_DRAIN)
  flush(); drain(); begin_reading(); census();
#else
  flush(); census(); drain(); begin_reading();
#endif
  d_step {
    commit();
    assert(!owed || closed || told);
    owed = false
  }
}

inline tell_consumer() {
  d_step {
    if
    :: (closed || recorded || transition || hot) && !unproven -> view = digest; rename_contents()
    :: else
    fi;
    tell()
  }
}

/* The marks are set before the scan, so that what the scan is too early to see is heard of. */
inline start() {
  d_step {
#ifdef MUTANT_SCAN_BEFORE_LISTENING
    if
    :: !listening -> scan()
    :: else
    fi
  };
  d_step {
    listening = true;
#else
    if
    :: !listening -> listening = true; gap = true
    :: else
    fi;
#endif
#ifdef MUTANT_NO_GAP
    gap = false;
#endif
#ifdef REMEDY_SCAN_CONTENT
    distrust = gap;
#endif
    is_up = true
  }
}

AT_START proctype journal() {
work:
  {
    do
    :: unproven -> verify()
    :: checkpoint()
    :: d_step { open_writers == 0 && !told -> finished = true } -> break
    od;
    checkpoint();
    do
    :: unproven -> verify()
    :: else -> break
    od;
    tell_consumer();
    d_step { acknowledge() };
    assert(view == CONTENT && digest == CONTENT);
#ifdef WITNESS_QUIESCENCE
    assert(false)
#endif
  } unless {
    d_step { has_crashed -> has_crashed = false; recover() };
    start();
    goto work
  }
}

/* ---- Consumer ---------------------------------------------------------------------------------------------------- */

AT_START proctype consumer() {
end_consumer:
  do
  :: atomic { is_up && !finished && !told && (closed || recorded || transition || hot) -> tell_consumer() }
  :: d_step { is_up && told -> acknowledge() }
  od
}

/* ---- Faults ------------------------------------------------------------------------------------------------------ */

inline kill_worker() {
  is_up = false; has_crashed = true; owed = false; mark_is_wanted = false;
#ifdef MUTANT_RECORD_IN_MEMORY
  recorded = durable_recorded; transition = durable_transition; hot = durable_hot;
#endif
  release()
}

/* The supervisor, which holds the group open while workers come and go, is dead too. */
inline kill_supervisor() {
  listening = false; mark = false; queued = false; overflow = false
}

inline lose_power() {
  kill_worker();
  kill_supervisor();
  cache = disk; cache_is_dirty = false; page_is_writable[0] = false; page_is_writable[1] = false;
  write_back_error = false;
  open_writers = 0; visible_writers = 0; unreported_closes = 0; unfinished_writes = 0;
  is_killed[0] = true; is_killed[1] = true;
  recorded = durable_recorded; transition = durable_transition; hot = durable_hot; unproven = durable_unproven;
  gap = false;
#ifndef MUTANT_STAT_AFTER_POWER_LOSS
  distrust = true;
#endif
  rename_contents()
}

#ifdef SOME_FAULT
AT_START proctype misfortune() {
end_misfortune:
  do
  :: finished -> break
#ifdef FAULT_WORKER
  :: d_step { is_up && !finished -> kill_worker() }
#endif
#ifdef FAULT_DAEMON
  :: d_step { is_up && !finished -> kill_worker(); kill_supervisor() }
#endif
#ifdef FAULT_POWER
  /* Stamps are written when they like: an old one may come back over new data, a new one over old data. */
  :: atomic {
       is_up && !finished -> d_step { lose_power() };
       if
#ifdef ASSUME_STAMPS_FIRST
       :: disk == digest -> stamp = index_stamp
#else
       :: stamp = index_stamp
#endif
       :: true
       fi;
       d_step { rename_stamps() }
     }
#endif
  od
}
#endif

/* ---- Properties that hold at every moment ------------------------------------------------------------------------ */

#define IN_NO_PERIOD (!recorded && !transition && !hot && !closed && !told)
#define SETTLED (is_up && IN_NO_PERIOD && !unproven && !gap && !queued && !overflow && open_writers == 0)

AT_START proctype monitor() {
end_monitor:
  atomic { SETTLED && (digest != CONTENT || view != digest) -> assert(false) }
}

#ifndef TABLE
init {
  atomic {
    listening = true;
    is_up = true;
    run writer(0);
    if
    :: SECOND != NOBODY -> run writer(1)
    :: else
    fi
  }
}
#else

/* ---- The journal's transitions as a table ------------------------------------------------------------------------ */

/* From every state that these events lead to, each that may happen there, once. fixtures/model holds the result. */
inline print_state() {
  printf(" %d %d %d %d %d %d %d", phase == pending, recorded, transition, hot, unproven, closed, told)
}

active proctype table() {
end_table:
  do
  :: d_step { printf("ROW read"); print_state(); record(); print_state(); printf("\n") }
  :: d_step { phase == recording -> printf("ROW begin"); print_state(); phase = pending; print_state(); printf("\n") }
  :: d_step { phase == pending -> printf("ROW see-writer"); print_state(); see_writer(); print_state(); printf("\n") }
  :: d_step { phase == pending -> printf("ROW drained"); print_state(); demand_proofs(); print_state(); printf("\n") }
  :: d_step { phase == pending -> printf("ROW commit"); print_state(); commit(); print_state(); printf("\n") }
  :: d_step { unproven -> printf("ROW refuse"); print_state(); refuse(); print_state(); printf("\n") }
  :: d_step { unproven -> printf("ROW prove"); print_state(); prove(); print_state(); printf("\n") }
  :: d_step { !told -> printf("ROW tell"); print_state(); tell(); print_state(); printf("\n") }
  :: d_step { told -> printf("ROW acknowledge"); print_state(); acknowledge(); print_state(); printf("\n") }
  :: d_step { printf("ROW recover"); print_state(); recover(); print_state(); printf("\n") }
  od
}

#endif
