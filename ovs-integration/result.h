// Errors as values.
//
// A Result<T> holds a T or an Error; a Status holds nothing or an Error. Both are [[nodiscard]]:
// an error that nobody looks at does not compile. An Error carries one sentence for a person;
// each layer that passes it on puts its own context in front ("open ms_vtep: disk is full").
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace hnv {

class Error {
  public:
    explicit Error(std::string message) : message_(std::move(message)) {}

    [[nodiscard]] const std::string& message() const { return message_; }

    // "context: message".
    [[nodiscard]] Error with_context(std::string_view context) const {
        return Error(std::string(context) + ": " + message_);
    }

    bool operator==(const Error&) const = default;

  private:
    std::string message_;
};

template <typename T>
class [[nodiscard]] Result {
  public:
    // Implicit on purpose: `return value;` and `return Error("...");` read best.
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] explicit operator bool() const { return state_.index() == 0; }
    [[nodiscard]] bool ok() const { return state_.index() == 0; }

    // Precondition: ok().
    [[nodiscard]] T& value() { return std::get<0>(state_); }
    [[nodiscard]] const T& value() const { return std::get<0>(state_); }
    [[nodiscard]] T& operator*() { return value(); }
    [[nodiscard]] const T& operator*() const { return value(); }
    [[nodiscard]] T* operator->() { return &value(); }
    [[nodiscard]] const T* operator->() const { return &value(); }

    // Precondition: !ok().
    [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

  private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)), ok_(false) {}

    [[nodiscard]] explicit operator bool() const { return ok_; }
    [[nodiscard]] bool ok() const { return ok_; }
    // Precondition: !ok().
    [[nodiscard]] const Error& error() const { return error_; }

  private:
    Error error_{std::string()};
    bool ok_ = true;
};

using Status = Result<void>;

}  // namespace hnv
