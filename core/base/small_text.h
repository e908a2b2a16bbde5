#pragma once
// Bytes of a text in as little room as goes, for values of which there are very many: names of files. Each
// owns its bytes, as std::string does, and is read as a std::string_view; there is no changing it but as a
// whole. At most 4 GiB.

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace porter::base {

// 16 bytes, in which up to 15 bytes of text lie themselves.
class ShortText {
 public:
  ShortText() { set_free(kMostInside); }
  ShortText(std::string_view text);
  ShortText(const char* text) : ShortText(std::string_view(text)) {}
  ShortText(const std::string& text) : ShortText(std::string_view(text)) {}
  ShortText(const ShortText& other) : ShortText() { copy(other); }
  ShortText(ShortText&& other) noexcept : ShortText() { swap(other); }
  ShortText& operator=(const ShortText& other) {
    if (this != &other) copy(other);
    return *this;
  }
  ShortText& operator=(ShortText&& other) noexcept {
    swap(other);
    return *this;
  }
  ~ShortText() {
    if (is_outside()) delete[] outside();
  }

  std::string_view view() const { return {c_str(), size()}; }
  operator std::string_view() const { return view(); }
  // Ends with a NUL.
  const char* c_str() const { return is_outside() ? outside() : room_.data(); }
  std::size_t size() const {
    if (!is_outside()) return kMostInside - static_cast<unsigned char>(room_.back());
    std::uint32_t size = 0;
    std::memcpy(&size, room_.data() + sizeof(char*), sizeof size);
    return size;
  }
  bool empty() const { return size() == 0; }
  void clear() { *this = ShortText(); }

  friend bool operator==(const ShortText& a, std::string_view b) { return a.view() == b; }
  friend bool operator==(const ShortText& a, const ShortText& b) { return a.view() == b.view(); }
  friend bool operator==(const ShortText& a, const char* b) { return a.view() == b; }
  friend auto operator<=>(const ShortText& a, std::string_view b) { return a.view() <=> b; }
  friend auto operator<=>(const ShortText& a, const ShortText& b) { return a.view() <=> b.view(); }

 private:
  static constexpr std::size_t kMostInside = 15;
  static constexpr char kOutside = static_cast<char>(0xFF);

  // The last byte tells how many bytes in front of it are free: none is its NUL, too. kOutside: in front are
  // the address of the text and its size.
  bool is_outside() const { return room_.back() == kOutside; }
  void set_free(std::size_t bytes) { room_.back() = static_cast<char>(bytes); }
  char* outside() const {
    char* text = nullptr;
    std::memcpy(&text, room_.data(), sizeof text);
    return text;
  }
  void swap(ShortText& other) noexcept { std::swap(room_, other.room_); }
  void copy(const ShortText& other) {
    if (is_outside() || other.is_outside())
      *this = ShortText(other.view());
    else
      room_ = other.room_;
  }

  std::array<char, kMostInside + 1> room_{};
};

// 8 bytes, for texts that are mostly empty.
class RareText {
 public:
  RareText() = default;
  RareText(std::string_view text);
  RareText(const char* text) : RareText(std::string_view(text)) {}
  RareText(const std::string& text) : RareText(std::string_view(text)) {}
  RareText(const RareText& other) : RareText(other.view()) {}
  RareText(RareText&&) noexcept = default;
  RareText& operator=(const RareText& other) { return *this = RareText(other.view()); }
  RareText& operator=(RareText&&) noexcept = default;
  ~RareText() = default;

  std::string_view view() const;
  operator std::string_view() const { return view(); }
  // Ends with a NUL.
  const char* c_str() const { return view().data(); }
  std::size_t size() const { return view().size(); }
  bool empty() const { return !text_; }
  void clear() { text_.reset(); }

  friend bool operator==(const RareText& a, std::string_view b) { return a.view() == b; }
  friend bool operator==(const RareText& a, const RareText& b) { return a.view() == b.view(); }
  friend bool operator==(const RareText& a, const char* b) { return a.view() == b; }

 private:
  std::unique_ptr<char[]> text_;  // its size in four bytes, the text, a NUL; null when empty
};

}  // namespace porter::base
