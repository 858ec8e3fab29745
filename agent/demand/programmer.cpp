#include "demand/programmer.h"

#include <algorithm>
#include <utility>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"
#include "pipeline/layout.h"

namespace hnv::demand {

namespace {

constexpr const char* kModule = "demand";
// The switch is asked several times in the time that a destination may be idle.
constexpr std::int64_t kPolls = 4;
constexpr std::int64_t kMinPollMsec = 500;
constexpr std::int64_t kMaxPollMsec = 15'000;
constexpr std::int64_t kSecond = 1000;

constexpr std::uint64_t kTellMask = 0xffff'ffff'ffffULL;

// The MAC that a flow is of; nullopt: it is of something else.
[[nodiscard]] std::optional<MacAddress> mac_of(std::uint64_t cookie) {
    const auto kind = static_cast<policy::ObjectKind>(cookie >> 48 & 0xff);
    if ((cookie & pipeline::kCookieMarkMask) != pipeline::kCookieMark ||
        kind != policy::ObjectKind::Mac) {
        return std::nullopt;
    }
    return MacAddress::from_bits(cookie & kTellMask);
}

}  // namespace

Programmer::Programmer(policy::Model& model, std::string target)
    : model_(model), table_counters_(std::move(target), "demand-counters") {}

std::int64_t Programmer::idle_msec() const {
    return kSecond * model_.host_settings().on_demand_idle_seconds.value_or(
                         policy::kDefaultOnDemandIdleSeconds);
}

std::int64_t Programmer::poll_msec() const {
    return std::clamp(idle_msec() / kPolls, kMinPollMsec, kMaxPollMsec);
}

bool Programmer::take(std::vector<Request> requests, std::int64_t now) {
    bool changed = false;
    for (Request& request : requests) {
        const auto id = request.mac ? model_.demandable(request.vsid, *request.mac)
                                    : model_.demandable(request.vsid, *request.ca);
        if (!id) {
            ++counters_.unknown;
            hold(std::move(request), now);  // It ends as what is unknown does.
            continue;
        }
        if (!model_.is_demanded(*id)) {
            if (!program(*id, request.source, now)) {
                ++counters_.refused;
                counters_.lost += request.resume.empty() ? 0 : 1;
                continue;
            }
            changed = true;
        } else if (const auto known = entries_.find(*id); known != entries_.end()) {
            known->second.used = now;
        }
        hold(std::move(request), now);
    }
    return changed;
}

bool Programmer::may_ask(Port& port, std::int64_t now) const {
    if (now - port.filled >= kSecond) {
        port.filled = now;
        port.tokens = kRatePerSecond;
    }
    if (port.tokens == 0) {
        return false;
    }
    --port.tokens;
    return true;
}

bool Programmer::program(const policy::ObjectId& id, std::uint32_t source, std::int64_t now) {
    Port& port = ports_[source];
    if (!may_ask(port, now)) {
        return false;
    }
    const bool full = entries_.size() >= kInAll;
    if (full || port.destinations.size() >= kOfPort) {
        // First those that nobody has asked for in this life of the agent.
        auto& victims = full && !ports_[0].destinations.empty() ? ports_[0].destinations
                                                                : ports_[source].destinations;
        if (victims.empty()) {
            return false;
        }
        const policy::ObjectId oldest = victims.front();
        model_.release(oldest);
        erase(oldest);
        ++counters_.evicted;
    }
    model_.demand(id);
    add(id, source, now);
    ++counters_.programmed;
    return true;
}

void Programmer::add(const policy::ObjectId& id, std::uint32_t source, std::int64_t now) {
    erase(id);  // It may have been mapped anew since it was last looked at.
    auto& destinations = ports_[source].destinations;
    entries_[id] = {source, destinations.insert(destinations.end(), id), 0, now};
}

void Programmer::erase(const policy::ObjectId& id) {
    const auto entry = entries_.find(id);
    if (entry == entries_.end()) {
        return;
    }
    const auto port = ports_.find(entry->second.source);
    port->second.destinations.erase(entry->second.place);
    entries_.erase(entry);
}

void Programmer::hold(Request request, std::int64_t now) {
    if (request.resume.empty()) {
        return;  // An announcement.
    }
    std::size_t& of_source = held_of_[request.source];
    if (held_.size() >= kHeld || of_source >= kHeldOfPort ||
        held_bytes_ + request.resume.size() > kHeldBytes) {
        ++counters_.lost;
        return;
    }
    ++of_source;
    held_bytes_ += request.resume.size();
    held_.push_back({0, request.source, now, request.resume.size(), std::move(request.resume)});
    ++fresh_;
}

void Programmer::applied(std::uint64_t number) {
    for (; fresh_ != 0; --fresh_) {
        held_[held_.size() - fresh_].number = number;
    }
}

std::vector<ovs::Bytes> Programmer::resumable(std::uint64_t confirmed, std::int64_t now) {
    std::vector<ovs::Bytes> messages;
    while (held_.size() > fresh_ && held_.front().number <= confirmed) {
        Held& first = held_.front();
        if (now - first.since > kHeldMsec) {
            ++counters_.lost;  // What it was sent for may be another's by now.
        } else {
            messages.push_back(std::move(first.resume));
            ++counters_.resumed;
        }
        held_bytes_ -= first.bytes;
        if (--held_of_[first.source] == 0) {
            held_of_.erase(first.source);
        }
        held_.pop_front();
    }
    return messages;
}

bool Programmer::adopt(std::span<const std::uint64_t> cookies) {
    const std::int64_t now = ovs::now_msec();
    bool any = false;
    for (const std::uint64_t cookie : cookies) {
        const auto mac = mac_of(cookie);
        if (!mac) {
            continue;
        }
        for (const policy::ObjectId& id : model_.demandable_everywhere(*mac)) {
            if (entries_.size() < kInAll && model_.demand(id)) {
                add(id, 0, now);
                any = true;
            }
        }
    }
    return any;
}

bool Programmer::run(std::int64_t now) {
    if (table_counters_.waiting() == 0 && model_.demanded() != 0 &&
        now >= last_poll_ + poll_msec()) {
        last_poll_ = now;
        poll();
    }
    table_counters_.run();
    return std::exchange(released_, false);
}

void Programmer::poll() {
    // What was unmapped meanwhile is demanded no more.
    std::vector<policy::ObjectId> gone;
    for (const auto& [id, entry] : entries_) {
        if (!model_.is_demanded(id)) {
            gone.push_back(id);
        }
    }
    std::ranges::for_each(gone, [this](const auto& id) { erase(id); });
    std::erase_if(ports_, [](const auto& port) { return port.second.destinations.empty(); });
    model_.for_each_on_demand_subnet([this](std::uint32_t vsid, std::size_t demanded) {
        if (demanded == 0) {
            return;
        }
        table_counters_.ask_flows(
            {{.table = static_cast<std::uint8_t>(pipeline::Table::Mapping),
              .reg = std::pair(static_cast<unsigned>(pipeline::Reg::Vsid), vsid)}},
            [this, vsid](const Result<std::vector<ovs::FlowRecord>>& flows) {
                if (flows) {
                    take_counters(vsid, *flows, ovs::now_msec());
                } else {
                    log::warn(kModule, "no counters of destinations: " + flows.error().message());
                }
            });
    });
}

void Programmer::take_counters(std::uint32_t vsid, std::span<const ovs::FlowRecord> flows,
                               std::int64_t now) {
    for (const ovs::FlowRecord& flow : flows) {
        const auto mac = mac_of(flow.flow.cookie);
        const auto id = mac ? model_.demandable(vsid, *mac) : std::nullopt;
        if (!id || !model_.is_demanded(*id)) {
            continue;
        }
        if (!entries_.contains(*id)) {  // It has its flows from when the subnet was proactive.
            if (entries_.size() >= kInAll) {
                model_.release(*id);
                released_ = true;
                continue;
            }
            add(*id, 0, now);
        }
        Entry& entry = entries_.at(*id);
        if (entry.packets != flow.packets) {
            entry.packets = flow.packets;
            entry.used = now;
        } else if (now - entry.used >= idle_msec()) {
            model_.release(*id);
            erase(*id);
            released_ = true;
            ++counters_.aged_out;
        }
    }
}

void Programmer::wait() {
    table_counters_.wait();
    if (model_.demanded() != 0 && table_counters_.waiting() == 0) {
        ovs::wake_at(last_poll_ + poll_msec());
    }
    if (released_) {
        ovs::wake_now();
    }
}

}  // namespace hnv::demand
