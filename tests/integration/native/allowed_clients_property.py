"""listen.allowed_clients against Python's ipaddress: random lists and peers, near misses first."""

import ipaddress
import random
import subprocess
import sys

CASES = 20000


def canonical(text):
    """The one host behind an address: IPv4 and its mapped form are the same."""
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def random_address(rng):
    if rng.random() < 0.4:
        return ipaddress.IPv4Address(rng.getrandbits(32))
    if rng.random() < 0.3:
        return ipaddress.IPv6Address((0xFFFF << 32) | rng.getrandbits(32))
    if rng.random() < 0.3:
        return ipaddress.IPv6Address(rng.getrandbits(32))
    return ipaddress.IPv6Address(rng.getrandbits(128))


def near(rng, address):
    """The same host in another form, or one bit away from it."""
    choice = rng.random()
    if choice < 0.35:
        return address
    if choice < 0.6 and address.version == 4:
        return ipaddress.IPv6Address((0xFFFF << 32) | int(address))
    if choice < 0.6 and address.ipv4_mapped:
        return address.ipv4_mapped
    bits = 32 if address.version == 4 else 128
    return type(address)(int(address) ^ (1 << rng.randrange(bits)))


def spelled(rng, address):
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped and rng.random() < 0.5:
        return f"::ffff:{address.ipv4_mapped}"
    text = str(address) if rng.random() < 0.5 else address.exploded
    return text.upper() if rng.random() < 0.3 else text


def main():
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    cases = []
    for _ in range(CASES):
        allowed = [random_address(rng) for _ in range(rng.randint(1, 5))]
        peer = near(rng, rng.choice(allowed)) if rng.random() < 0.9 else random_address(rng)
        cases.append(([spelled(rng, one) for one in allowed], spelled(rng, peer)))
    lines = "".join(f"{','.join(allowed)} {peer}\n" for allowed, peer in cases)
    answers = subprocess.run(
        [sys.argv[1]], input=lines, capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert len(answers) == CASES, f"{len(answers)} answers (seed {seed})"
    for (allowed, peer), answer in zip(cases, answers):
        wanted = "1" if canonical(peer) in map(canonical, allowed) else "0"
        assert answer == wanted, f"{allowed} and {peer}: {answer}, not {wanted} (seed {seed})"
    assert {"0", "1"} == set(answers)


main()
