"""Makes the policy of a mismatch smaller while the mismatch stays."""

import copy
import time


def shrink(policy, still_wrong, seconds):
    """The smallest policy found within the time. `still_wrong(policy)` tries one."""
    deadline = time.monotonic() + seconds
    smaller = True
    while smaller and time.monotonic() < deadline:
        smaller = False
        for take, size in _parts(policy):
            step = size
            while step >= 1 and time.monotonic() < deadline:
                begin = 0
                while begin < size:
                    candidate = copy.deepcopy(policy)
                    take(candidate, begin, min(begin + step, size))
                    if still_wrong(candidate):
                        policy, size, smaller = candidate, size - min(step, size - begin), True
                    else:
                        begin += step
                step //= 2
    return policy


def _parts(policy):
    """(function that removes items begin..end of a part, how many items the part has)."""
    yield _of_list(lambda p: p.rules), len(policy.rules)
    yield _of_list(lambda p: p.nats), len(policy.nats)
    yield _of_list(lambda p: p.services), len(policy.services)
    yield _of_map(lambda p: p.adapters), len(policy.adapters)
    yield _of_map(lambda p: p.ports), len(policy.ports)
    yield _of_list(lambda p: p.mappings), len(policy.mappings)
    yield _of_map(lambda p: p.mcast), len(policy.mcast)
    for name, router in policy.routers.items():
        yield _of_map(lambda p, name=name: p.routers[name].routes), len(router.routes)
        yield _of_map(lambda p, name=name: p.routers[name].bindings), len(router.bindings)
    for vsid, subnet in policy.subnets.items():
        yield _of_map(lambda p, vsid=vsid: p.subnets[vsid].routes), len(subnet.routes)
    yield _of_map(lambda p: p.routers), len(policy.routers)
    yield _unused_subnets, len(policy.subnets)


def _of_list(get):
    def take(policy, begin, end):
        del get(policy)[begin:end]
    return take


def _of_map(get):
    def take(policy, begin, end):
        items = get(policy)
        for key in list(items)[begin:end]:
            del items[key]
    return take


def _unused_subnets(policy, begin, end):
    """Those that nothing refers to; a database refuses to lose the others."""
    used = {m.vsid for m in policy.mappings} | {vsid for vsid, _ in policy.mcast}
    for holder in [*policy.routers.values(), *policy.ports.values()]:
        used.update(holder.bindings.values())
    for vsid in list(policy.subnets)[begin:end]:
        if vsid not in used:
            del policy.subnets[vsid]
