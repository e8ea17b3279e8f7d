#pragma once
// HTML and SVG as a type of its own. Text from data becomes Markup through Text() and attribute
// values through Tag() only, and both escape it; a plain string cannot be put on a page.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace grin {

class Markup {
 public:
  Markup() = default;

  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }

  Markup& operator+=(const Markup& other) {
    text_ += other.text_;
    return *this;
  }
  friend Markup operator+(Markup a, const Markup& b) { return a += b; }

 private:
  explicit Markup(std::string text) : text_(std::move(text)) {}
  friend Markup Text(std::string_view);
  friend Markup Trusted(std::string);

  std::string text_;
};

// Escaped text. Ill-formed bytes and control characters become U+FFFD, so that the page is always
// well-formed.
Markup Text(std::string_view text);

// Markup as it stands: for this program's own files, never for data.
Markup Trusted(std::string text);

using Attribute = std::pair<std::string_view, std::string>;

// <name a="..">inner</name>, well-formed as XML too. Attribute values are escaped; an attribute
// whose value is empty is written all the same. `name` and attribute names are not data.
Markup Tag(std::string_view name, const std::vector<Attribute>& attributes = {},
           const Markup& inner = {});

// The same with plain text inside.
Markup TextTag(std::string_view name, const std::vector<Attribute>& attributes,
               std::string_view text);

}  // namespace grin
