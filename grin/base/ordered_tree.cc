#include "grin/base/ordered_tree.h"

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace grin {
namespace {

using Members = Json::object_t;

// Whether a key may come twice; objects of more members than records have are not searched.
bool MayRepeat(const Members& members) {
  constexpr size_t kFew = 16;
  if (members.size() > kFew) return true;
  for (auto later = members.begin(); later != members.end(); ++later) {
    for (auto earlier = members.begin(); earlier != later; ++earlier) {
      if (earlier->first == later->first) return true;
    }
  }
  return false;
}

// Takes out members whose key comes again; the last value stands at the first one's place.
void KeepLastOfEachKey(Members& members) {
  std::unordered_map<std::string_view, size_t> first;
  std::vector<std::pair<size_t, size_t>> again;  // where the key stands first, and the later place
  first.reserve(members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    const auto [found, is_new] = first.try_emplace((members.begin() + i)->first, i);
    if (!is_new) again.emplace_back(found->second, i);
  }
  if (again.empty()) return;
  std::vector<bool> dropped(members.size());
  for (const auto& [place, later] : again) {
    (members.begin() + place)->second = std::move((members.begin() + later)->second);
    dropped[later] = true;
  }
  Members kept;
  for (size_t i = 0; i < dropped.size(); ++i) {
    const auto member = members.begin() + i;
    if (!dropped[i]) kept.emplace_back(member->first, std::move(member->second));
  }
  members = std::move(kept);
}

// Builds the value from the parser's events.
class TreeBuilder {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  bool null() { return Add(nullptr); }
  bool boolean(bool value) { return Add(value); }
  bool number_integer(number_integer_t value) { return Add(value); }
  bool number_unsigned(number_unsigned_t value) { return Add(value); }
  bool number_float(number_float_t value, const string_t&) { return Add(value); }
  bool string(string_t& value) { return Add(std::move(value)); }
  bool binary(binary_t&) { return true; }  // JSON text has none
  bool key(string_t& value) {
    key_ = std::move(value);
    return true;
  }
  bool start_object(size_t) { return Open(Json::object()); }
  bool start_array(size_t) { return Open(Json::array()); }
  bool end_array() { return Close(); }
  bool end_object() {
    auto& members = open_.back()->get_ref<Members&>();
    if (MayRepeat(members)) KeepLastOfEachKey(members);
    return Close();
  }
  template <typename ParseError>
  bool parse_error(size_t, const std::string&, const ParseError& error) {
    throw error;
  }

  Json Take() { return std::move(root_); }

 private:
  // Places stay where they are: a container grows only while nothing inside it is open.
  Json& Place(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return parent.back();
    }
    auto& members = parent.get_ref<Members&>();
    members.emplace_back(std::move(key_), std::move(value));
    return members.back().second;
  }

  bool Add(Json value) {
    Place(std::move(value));
    return true;
  }

  bool Open(Json container) {
    open_.push_back(&Place(std::move(container)));
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::string key_;
  std::vector<Json*> open_;
};

}  // namespace

Json ParseOrderedTree(std::string_view text) {
  TreeBuilder builder;
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.Take();
}

void AppendMember(Json& object, std::string key, Json value) {
  object.get_ref<Members&>().emplace_back(std::move(key), std::move(value));
}

}  // namespace grin
