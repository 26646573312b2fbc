"""Plays the service manager for one service: keeps the descriptors it hands over, and starts it again with them.

Reads commands from stdin, a word a line: start, kill (SIGKILL to the service and what it started), stop (SIGTERM).
Writes what the service says (`READY=1`, ...) and what was done to stdout.
"""
import array, os, select, signal, socket, subprocess, sys

address, *program = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(address)
kept = []
service = None


def say(text):
    print(text, flush=True)


def start():
    global service
    descriptors = [fd for _, fd in kept]
    # A program that is started by a shell, so that it has the process id that is named to it.
    names = ":".join(name for name, _ in kept)
    moves = " ".join(f"{3 + index}<&{100 + index}" for index in range(len(kept)))
    closes = " ".join(f"{100 + index}<&-" for index in range(len(kept)))
    script = f'exec "$@" {moves} {closes}'
    if kept:
        script = f"export LISTEN_PID=$$ LISTEN_FDS={len(kept)} LISTEN_FDNAMES={names}; {script}"
    for index, fd in enumerate(descriptors):
        os.dup2(fd, 100 + index, inheritable=True)
    environment = dict(os.environ, NOTIFY_SOCKET=address, WATCHDOG_USEC="2000000")
    service = subprocess.Popen(
        ["bash", "-c", script, "bash", *program],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        close_fds=False,
        start_new_session=True,
    )
    for index in range(len(kept)):
        os.close(100 + index)


def receive():
    message, ancillary, _, _ = listener.recvmsg(4096, socket.CMSG_SPACE(64 * 4))
    lines = message.decode().split("\n")
    found = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data)
    name = next((line[7:] for line in lines if line.startswith("FDNAME=")), "stored")
    if "FDSTORE=1" in lines:
        for fd in found:
            # The same descriptor again is not kept twice; by name will do here.
            if name in [known for known, _ in kept]:
                os.close(fd)
            else:
                kept.append((name, fd))
    if "FDSTOREREMOVE=1" in lines:
        for known in [item for item in kept if item[0] == name]:
            os.close(known[1])
            kept.remove(known)
    say(lines[0])


while True:
    ready, _, _ = select.select([listener, sys.stdin], [], [])
    if listener in ready:
        receive()
        continue
    command = sys.stdin.readline().strip()
    if command == "start":
        start()
    elif command in ("kill", "stop"):
        if command == "kill":
            os.killpg(service.pid, signal.SIGKILL)
        else:
            service.send_signal(signal.SIGTERM)
        while service.poll() is None:
            if select.select([listener], [], [], 0.05)[0]:
                receive()
        say(f"ended {service.returncode}")
    else:
        sys.exit(0)
