"""Golden vectors of sampling contract 1, from a second implementation that shares no code with the first.

    python3 scripts/vectors/sampler.py > test/vectors/sampler-1.json

Written from the contract's text (protocol/sampler/sampler.ts, header) with exact integers and the
standard library only. A test compares protocol/sampler with this output.
"""
import json
import math
import random
import struct

CANDIDATES = 64
MASK = 0xFFFFFFFF


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & MASK, (p0 >> 32) ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def uniform(seed, position, token):
    words = philox((token, position, 0, 0), (seed & MASK, seed >> 32))
    return ((words[0] >> 6) * 2**26 + (words[1] >> 6) + 0.5) / 2**52


def sample(case):
    rows = []
    for token, logit in zip(case["tokens"], case["logits"]):
        logit += case["logitBias"].get(str(token), 0)
        count = case["counts"].get(str(token), 0)
        if count:
            logit -= case["presencePenalty"] + count * case["frequencyPenalty"]
        rows.append((logit, token))
    rows.sort(key=lambda row: (-row[0], row[1]))
    temperature = case["temperature"]
    if temperature == 0:
        return rows[0][1]
    if case["topK"]:
        rows = rows[: case["topK"]]
    weights = [math.exp((logit - rows[0][0]) / temperature) for logit, _ in rows]
    kept = max(1, sum(weight >= case["minP"] for weight in weights))
    rows, weights = rows[:kept], weights[:kept]
    if case["topP"] < 1:
        mass, cumulative = sum(weights), 0.0
        for index, weight in enumerate(weights):
            cumulative += weight
            if cumulative >= case["topP"] * mass:
                rows = rows[: index + 1]
                break
    seed, position = int(case["seed"]), case["position"]
    return max(rows, key=lambda row: (
        row[0] / temperature - math.log(-math.log(uniform(seed, position, row[1]))), -row[1]))[1]


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def make_case(rng):
    size = rng.choice([1, 2, 7, 40, CANDIDATES, CANDIDATES])
    tokens = rng.sample(range(rng.choice([128, 4096, 262144])), size)
    # Rounded to halves in some cases, so that ties occur.
    spread = rng.choice([0.5, 4, 12])
    coarse = rng.random() < 0.3
    rows = []
    for token in tokens:
        logit = rng.gauss(10, spread)
        rows.append((float32(round(logit * 2) / 2 if coarse else logit), token))
    rows.sort(key=lambda row: (-row[0], row[1]))
    repeated = rng.sample(tokens, min(3, size))
    case = {
        "tokens": [token for _, token in rows],
        "logits": [logit for logit, _ in rows],
        "seed": str(rng.getrandbits(64)),
        "position": rng.choice([0, 1, rng.randrange(2**17)]),
        "temperature": rng.choice([0, 0.3, 0.7, 1, 1.7]),
        "topK": rng.choice([0, 1, 5, 40, 1000]),
        "topP": rng.choice([1, 0.95, 0.5, 0]),
        "minP": rng.choice([0, 0.05, 0.3, 1]),
        "presencePenalty": rng.choice([0, 0, 0.5, -1]),
        "frequencyPenalty": rng.choice([0, 0, 0.25]),
        "logitBias": {str(token): rng.choice([-100, -1.5, 2.5]) for token in repeated} if rng.random() < 0.3 else {},
        "counts": {str(token): rng.randrange(1, 9) for token in repeated} if rng.random() < 0.6 else {},
    }
    return {**case, "chosen": sample(case)}


def main():
    rng = random.Random(20261120)
    known = philox((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0))
    # The known answer that the paper's authors publish with their library (Random123, kat_vectors).
    assert known == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]
    print("[")
    print(",\n".join(json.dumps(make_case(rng)) for _ in range(200)))
    print("]")


main()
