#include "cli/json_reader.h"

namespace hnv::cli {
namespace {

constexpr std::size_t kMaxProblems = 20;

std::string type_name(const Json::Value& value) {
    switch (value.type()) {
        case Json::nullValue:
            return "null";
        case Json::booleanValue:
            return "a boolean";
        case Json::stringValue:
            return "a string";
        case Json::arrayValue:
            return "an array";
        case Json::objectValue:
            return "an object";
        default:
            return "a number";
    }
}

std::string wrong_type(std::string_view wanted, const Json::Value& value) {
    return "must be " + std::string(wanted) + ", not " + type_name(value);
}

}  // namespace

void Problems::add(std::string_view path, std::string_view sentence) {
    ++count_;
    if (lines_.size() < kMaxProblems) {
        lines_.push_back(path.empty() ? std::string(sentence)
                                      : std::string(path) + ": " + std::string(sentence));
    }
}

std::string Problems::text() const {
    std::string text;
    for (const std::string& line : lines_) {
        text += (text.empty() ? "" : "\n") + line;
    }
    if (count_ > lines_.size()) {
        text += "\nand " + std::to_string(count_ - lines_.size()) + " more";
    }
    return text;
}

ObjectReader::ObjectReader(const Json::Value& object, std::string path, Problems& problems)
    : object_(object), path_(std::move(path)), problems_(problems), is_object_(object.isObject()) {
    if (!is_object_) {
        problems_.add(path_, wrong_type("an object", object));
    }
}

std::string ObjectReader::path_of(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void ObjectReader::problem(std::string_view key, std::string_view sentence) {
    problems_.add(path_of(key), sentence);
}

const Json::Value* ObjectReader::find(std::string_view key) {
    known_.emplace(key);
    return is_object_ ? object_.find(key.data(), key.data() + key.size()) : nullptr;
}

void ObjectReader::finish() {
    if (!is_object_) {
        return;
    }
    for (const std::string& key : object_.getMemberNames()) {
        if (!known_.contains(key)) {
            problem(key, "is not a known key");
        }
    }
}

std::optional<std::string> ObjectReader::string(std::string_view key) {
    const Json::Value* value = find(key);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->isString()) {
        problem(key, wrong_type("a string", *value));
        return std::nullopt;
    }
    return value->asString();
}

std::optional<std::int64_t> ObjectReader::integer(std::string_view key, std::int64_t min,
                                                  std::int64_t max) {
    const Json::Value* value = find(key);
    if (value == nullptr) {
        return std::nullopt;
    }
    // A JSON 5.0 is an integer to isInt64(), which is fine; a boolean is not.
    if (!value->isInt64() || value->isBool()) {
        problem(key, value->isNumeric() && !value->isBool() ? "must be a whole number"
                                                            : wrong_type("a number", *value));
        return std::nullopt;
    }
    const std::int64_t number = value->asInt64();
    if (number < min || number > max) {
        problem(key, std::to_string(number) + " is not in " + std::to_string(min) + " .. " +
                         std::to_string(max));
        return std::nullopt;
    }
    return number;
}

std::optional<bool> ObjectReader::boolean(std::string_view key) {
    const Json::Value* value = find(key);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->isBool()) {
        problem(key, wrong_type("true or false", *value));
        return std::nullopt;
    }
    return value->asBool();
}

template <typename T>
std::optional<T> ObjectReader::parsed(std::string_view key, std::string_view what) {
    const auto text = string(key);
    if (!text) {
        return std::nullopt;
    }
    auto value = T::parse(*text);
    if (!value) {
        problem(key, "'" + *text + "' is not " + std::string(what));
    }
    return value;
}

std::optional<MacAddress> ObjectReader::mac(std::string_view key) {
    return parsed<MacAddress>(key, "a MAC address");
}

std::optional<IpAddress> ObjectReader::address(std::string_view key) {
    return parsed<IpAddress>(key, "an IP address");
}

std::optional<IpPrefix> ObjectReader::prefix(std::string_view key) {
    return parsed<IpPrefix>(key, "an IP address with a prefix length");
}

std::vector<std::pair<const Json::Value*, std::string>> ObjectReader::array(std::string_view key) {
    std::vector<std::pair<const Json::Value*, std::string>> elements;
    const Json::Value* value = find(key);
    if (value == nullptr) {
        return elements;
    }
    if (!value->isArray()) {
        problem(key, wrong_type("an array", *value));
        return elements;
    }
    elements.reserve(value->size());
    for (Json::ArrayIndex i = 0; i < value->size(); ++i) {
        elements.emplace_back(&(*value)[i], path_of(key) + "[" + std::to_string(i) + "]");
    }
    return elements;
}

const Json::Value* ObjectReader::object(std::string_view key) {
    const Json::Value* value = find(key);
    if (value != nullptr && !value->isObject()) {
        problem(key, wrong_type("an object", *value));
        return nullptr;
    }
    return value;
}

}  // namespace hnv::cli
