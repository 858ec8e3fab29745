#include "cli/trace_text.h"

#include "cli/text_list.h"

namespace hnv::cli {
namespace {

constexpr std::size_t kIndentOfDepth = 4;

bool all_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "14. ip,reg0=0x1389, priority 100, cookie 0x68…", or "14. No match."
std::optional<TraceStep> step_of(std::string_view line) {
    const std::size_t indent = line.find_first_not_of(' ');
    const std::size_t dot = line.find(". ");
    if (indent == std::string_view::npos || dot == std::string_view::npos || dot <= indent ||
        !all_digits(line.substr(indent, dot - indent))) {
        return std::nullopt;
    }
    const auto table = number_in(line.substr(indent, dot - indent));
    std::string_view rest = trimmed(line.substr(dot + 2));
    if (!table || *table > 0xff) {
        return std::nullopt;
    }
    TraceStep step;
    step.table = static_cast<unsigned>(*table);
    step.depth = static_cast<unsigned>(indent / kIndentOfDepth);
    if (rest.starts_with("No match")) {
        return step;
    }
    constexpr std::string_view kPriority = "priority ";
    constexpr std::string_view kCookie = ", cookie ";
    const std::size_t at = rest.rfind(kPriority);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    step.matched = true;
    std::string_view match = trimmed(rest.substr(0, at));
    if (match.ends_with(',')) {
        match.remove_suffix(1);
    }
    step.match = match;
    rest.remove_prefix(at + kPriority.size());
    if (const std::size_t cookie = rest.find(kCookie); cookie != std::string_view::npos) {
        step.cookie = number_in(rest.substr(cookie + kCookie.size())).value_or(0);
        rest = rest.substr(0, cookie);
    }
    step.priority = static_cast<std::uint16_t>(number_in(trimmed(rest)).value_or(0) & 0xffff);
    return step;
}

class Parser {
  public:
    void line(std::string_view text) {
        if (section_begins(text) || section_ends(text) || bridge_begins(text)) {
            return;
        }
        if (auto step = step_of(text)) {
            step->bridge = bridge_;
            step->if_longer = !longer_until_.empty() && !longer_first_;
            section().steps.push_back(std::move(*step));
            places_.push_back({text.find_first_not_of(' '), std::nullopt});
            return;
        }
        action(text);
    }

    Trace take() { return std::move(trace_); }

  private:
    TraceSection& section() {
        if (trace_.sections.empty()) {
            trace_.sections.emplace_back();
        }
        return trace_.sections.back();
    }

    bool section_begins(std::string_view text) {
        if (text.starts_with("Flow: ")) {
            if (trace_.sections.empty() || !trace_.sections.back().flow.empty()) {
                trace_.sections.emplace_back();
            }
            section().flow = trimmed(text.substr(text.find(' ')));
            longer_until_.clear();
            places_.clear();
            ended_ = false;
            return true;
        }
        if (text.starts_with("recirc(")) {
            trace_.sections.emplace_back();
            places_.clear();
            if (const auto id = number_in(between(text, "(", ")").value_or(""))) {
                section().recirculation = static_cast<std::uint32_t>(*id);
            }
            return true;
        }
        return false;
    }

    bool section_ends(std::string_view text) {
        constexpr std::string_view kFinal = "Final flow: ";
        constexpr std::string_view kActions = "Datapath actions: ";
        if (text.starts_with(kFinal)) {
            const auto flow = trimmed(text.substr(kFinal.size()));
            section().final_flow = flow == "unchanged" ? std::string_view{} : flow;
            return true;
        }
        if (text.starts_with(kActions)) {
            section().datapath_actions = trimmed(text.substr(kActions.size()));
            ended_ = true;  // What follows tells of the datapath, not of the packet.
            return true;
        }
        return text.starts_with("Megaflow: ") || text.starts_with("---") || text.starts_with("===");
    }

    bool bridge_begins(std::string_view text) {
        if (!text.starts_with("bridge(\"")) {
            return false;
        }
        bridge_ = between(text, "(\"", "\")").value_or("");
        return true;
    }

    // check_pkt_larger() makes Open vSwitch tell all that follows twice: for a longer packet, and
    // then, from the same first action on, for one that is not.
    void action(std::string_view text) {
        const std::size_t indent = text.find_first_not_of(' ');
        if (indent == std::string_view::npos || indent == 0 || ended_ || trace_.sections.empty() ||
            places_.empty()) {
            return;
        }
        TraceStep& step = step_at(indent);
        const std::string_view words = trimmed(text);
        if (words.starts_with("-> ")) {
            step.notes.emplace_back(words.substr(3));
            return;
        }
        if (longer_first_) {
            longer_first_ = false;
            longer_until_ = text;
        } else if (!longer_until_.empty() && text == longer_until_) {
            longer_until_.clear();
        }
        if (words.starts_with("check_pkt_larger(")) {
            longer_first_ = true;
        }
        step.actions.emplace_back(words);
    }

    // Whose action stands at this indent: that of the last table; or, behind a table that was
    // called and has come back, that of the table that has called it.
    TraceStep& step_at(std::size_t indent) {
        Place& last = places_.back();
        if (!last.actions && indent > last.table) {
            last.actions = indent;
        }
        std::size_t i = places_.size();
        while (i > 1 && (!places_[i - 1].actions || *places_[i - 1].actions > indent)) {
            --i;
        }
        return section().steps[i - 1];
    }

    // Where a step stands: the indent of its table, and of its actions.
    struct Place {
        std::size_t table = 0;
        std::optional<std::size_t> actions;
    };

    Trace trace_;
    std::vector<Place> places_;  // Of the section's steps.
    std::string bridge_;
    bool ended_ = false;
    bool longer_first_ = false;
    std::string longer_until_;
};

}  // namespace

Result<Trace> parse_trace(std::string_view text) {
    Parser parser;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        parser.line(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    Trace trace = parser.take();
    bool understood = false;
    for (const TraceSection& section : trace.sections) {
        understood = understood || !section.datapath_actions.empty();
    }
    if (!understood) {
        return Error("the switch's trace is not understood");
    }
    return trace;
}

std::optional<std::string_view> field_of(std::string_view flow, std::string_view name) {
    for (const std::string_view item : split_list(flow)) {
        const auto [key, value] = pair_of(item);
        if (key == name) {
            return value;
        }
    }
    return std::nullopt;
}

}  // namespace hnv::cli
