#pragma once
// Checks that markup is well-formed XML: tags nest, attributes are quoted and unique, no stray < or
// &.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace grin {

class XmlReader {
 public:
  explicit XmlReader(std::string_view text) : text_(text) {}

  // Empty when it is well-formed, else what is wrong and where.
  std::string Complaint() {
    while (at_ < text_.size() && complaint_.empty()) {
      if (text_[at_] == '<') {
        ReadTag();
      } else {
        ReadCharacter();
      }
    }
    if (complaint_.empty() && !open_.empty()) Complain("'" + open_.back() + "' is not closed");
    return complaint_;
  }

  const std::vector<std::string>& elements() const { return elements_; }

 private:
  void Complain(const std::string& what) {
    if (complaint_.empty()) {
      complaint_ = what + " at " + std::to_string(at_) + ": " +
                   std::string(text_.substr(at_ > 30 ? at_ - 30 : 0, 60));
    }
  }

  bool Take(std::string_view wanted) {
    if (!text_.substr(at_).starts_with(wanted)) return false;
    at_ += wanted.size();
    return true;
  }

  void ReadCharacter() {
    if (text_[at_] != '&') {
      if (text_[at_] == '>') Complain("stray >");
      ++at_;
      return;
    }
    for (const char* entity : {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"}) {
      if (Take(entity)) return;
    }
    Complain("stray &");
    ++at_;
  }

  std::string ReadName() {
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
                                  text_[at_] == '-' || text_[at_] == ':')) {
      ++at_;
    }
    if (at_ == begin) Complain("no name");
    return std::string(text_.substr(begin, at_ - begin));
  }

  void ReadTag() {
    if (Take("</")) {
      const std::string name = ReadName();
      if (open_.empty() || open_.back() != name) return Complain("'" + name + "' closes nothing");
      open_.pop_back();
      if (!Take(">")) Complain("no >");
      return;
    }
    ++at_;
    const std::string name = ReadName();
    elements_.push_back(name);
    std::set<std::string> seen;
    while (complaint_.empty()) {
      if (Take(" />")) return;
      if (Take(">")) {
        open_.push_back(name);
        return;
      }
      if (!Take(" ")) return Complain("no space before an attribute");
      const std::string attribute = ReadName();
      if (!seen.insert(attribute).second) return Complain("'" + attribute + "' comes twice");
      if (!Take("=\"")) return Complain("no value");
      while (at_ < text_.size() && text_[at_] != '"' && complaint_.empty()) {
        if (text_[at_] == '<') return Complain("< in a value");
        ReadCharacter();
      }
      if (!Take("\"")) return Complain("the value does not end");
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<std::string> open_, elements_;
  std::string complaint_;
};

inline void ExpectWellFormed(std::string_view markup) {
  EXPECT_EQ(XmlReader(markup).Complaint(), "");
}

}  // namespace grin
