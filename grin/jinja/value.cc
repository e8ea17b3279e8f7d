#include "grin/jinja/value.h"

#include <algorithm>

#include "grin/base/error.h"
#include "grin/base/utf8.h"
#include "grin/jinja/string.h"

namespace grin::jinja {
namespace {

constexpr int kDeepestValue = 100;

void CheckDepth(const Rendering& rendering, int depth) {
  if (depth > kDeepestValue) {
    rendering.Fail("a list or dict is nested deeper than {} levels", kDeepestValue);
  }
}

void CheckKey(const Rendering& rendering, const Value& key) {
  NeedDefined(rendering, key);
  const bool list = key.is(Kind::kSequence) && key.sequence_kind() != SequenceKind::kTuple;
  if (list || key.is(Kind::kDict)) {
    rendering.Fail("a {} cannot be the key of a dict", TypeName(key));
  }
}

}  // namespace

void FailAt(std::string_view name, int line, std::string_view message) {
  std::string one_line(message);
  std::replace(one_line.begin(), one_line.end(), '\n', ' ');
  std::replace(one_line.begin(), one_line.end(), '\r', ' ');
  BadInput("text", "{}: line {}: {}", name, line, one_line);
}

Value Value::Undefined(std::string why) {
  Value value;
  value.storage_ = NotDefined{std::make_shared<const std::string>(std::move(why))};
  return value;
}

Value Value::Of(const Rendering& rendering, Items items, SequenceKind kind) {
  int depth = 1;
  for (const Value& item : items) depth = std::max(depth, item.depth() + 1);
  CheckDepth(rendering, depth);
  Value value;
  value.storage_ = std::make_shared<const Sequence>(Sequence{std::move(items), kind, depth});
  return value;
}

Value Value::Of(Rendering& rendering, Entries entries) {
  auto dict = std::make_shared<Dict>(Dict{{}, 1});
  for (auto& [key, item] : entries) {
    CheckKey(rendering, key);
    dict->depth = std::max({dict->depth, key.depth() + 1, item.depth() + 1});
    Value* present = nullptr;
    for (auto& [other, other_item] : dict->entries) {
      if (Equal(rendering, key, other)) present = &other_item;
    }
    if (present != nullptr) {
      *present = std::move(item);
    } else {
      dict->entries.emplace_back(std::move(key), std::move(item));
    }
  }
  CheckDepth(rendering, dict->depth);
  Value value;
  value.storage_ = std::shared_ptr<const Dict>(std::move(dict));
  return value;
}

Value Value::FromJson(Rendering& rendering, const Json& json) {
  switch (json.type()) {
    case Json::value_t::boolean:
      return json.get<bool>();
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > INT64_MAX) return json.get<double>();
      return json.get<int64_t>();
    case Json::value_t::number_integer:
      return json.get<int64_t>();
    case Json::value_t::number_float:
      return json.get<double>();
    case Json::value_t::string:
      return LossyUtf8(json.get_ref<const std::string&>());
    case Json::value_t::array: {
      Items items;
      for (const Json& item : json) items.push_back(FromJson(rendering, item));
      return Of(rendering, std::move(items));
    }
    case Json::value_t::object: {
      Entries entries;
      for (const auto& [key, item] : json.items()) {
        entries.emplace_back(LossyUtf8(key), FromJson(rendering, item));
      }
      return Of(rendering, std::move(entries));
    }
    default:
      return {};
  }
}

const Value::Items& Value::items() const { return get<std::shared_ptr<const Sequence>>()->items; }

SequenceKind Value::sequence_kind() const { return get<std::shared_ptr<const Sequence>>()->kind; }

const Value::Entries& Value::entries() const { return get<std::shared_ptr<const Dict>>()->entries; }

int Value::depth() const {
  if (is(Kind::kSequence)) return get<std::shared_ptr<const Sequence>>()->depth;
  if (is(Kind::kDict)) return get<std::shared_ptr<const Dict>>()->depth;
  // A bound method or a loop holds values too.
  if (is(Kind::kFunction)) return function().self.depth() + 1;
  if (is(Kind::kLoop)) {
    int depth = 0;
    for (const Value& item : loop().items) depth = std::max(depth, item.depth());
    return depth + 1;
  }
  return 0;
}

std::string_view TypeName(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kSequence:
      return value.sequence_kind() == SequenceKind::kList    ? "list"
             : value.sequence_kind() == SequenceKind::kTuple ? "tuple"
                                                             : "generator";
    case Kind::kDict:
      return "dict";
    case Kind::kNamespace:
      return "namespace";
    case Kind::kLoop:
      return "loop";
    case Kind::kFunction:
      return "function";
  }
  return "";
}

bool IsTrue(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.integer() != 0;
    case Kind::kFloat:
      return value.number() != 0;
    case Kind::kString:
      return !value.text().empty();
    case Kind::kSequence:
      return value.sequence_kind() == SequenceKind::kIterator || !value.items().empty();
    case Kind::kDict:
      return !value.entries().empty();
    default:
      return true;
  }
}

void NeedDefined(const Rendering& rendering, const Value& value) {
  if (value.is(Kind::kUndefined)) rendering.Fail("{}", value.why_undefined());
}

bool Equal(Rendering& rendering, const Value& a, const Value& b) {
  rendering.Spend(1);
  if (a.IsInteger() && b.IsInteger()) return a.integer() == b.integer();
  if (a.IsNumber() && b.IsNumber()) return a.number() == b.number();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kString:
      rendering.SpendText(std::min(a.text().size(), b.text().size()));
      return a.text() == b.text();
    case Kind::kSequence:
      if (a.sequence_kind() != b.sequence_kind()) return false;
      return std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(),
                        [&](const Value& x, const Value& y) { return Equal(rendering, x, y); });
    case Kind::kDict:
      if (a.entries().size() != b.entries().size()) return false;
      for (const auto& [key, item] : a.entries()) {
        const Value* other = Find(rendering, b, key);
        if (other == nullptr || !Equal(rendering, item, *other)) return false;
      }
      return true;
    default:
      return a.SameAs(b);
  }
}

int Compare(Rendering& rendering, const Value& a, const Value& b) {
  rendering.Spend(1);
  if (a.IsInteger() && b.IsInteger()) {
    return a.integer() < b.integer() ? -1 : a.integer() > b.integer();
  }
  if (a.IsNumber() && b.IsNumber()) {
    return a.number() < b.number() ? -1 : a.number() > b.number();
  }
  if (a.is(Kind::kString) && b.is(Kind::kString)) {
    // UTF-8 sorts by bytes as by characters.
    rendering.SpendText(std::min(a.text().size(), b.text().size()));
    return a.text().compare(b.text());
  }
  if (a.is(Kind::kSequence) && b.is(Kind::kSequence) && a.sequence_kind() == b.sequence_kind()) {
    const size_t common = std::min(a.items().size(), b.items().size());
    for (size_t i = 0; i < common; ++i) {
      if (!Equal(rendering, a.items()[i], b.items()[i])) {
        return Compare(rendering, a.items()[i], b.items()[i]);
      }
    }
    return a.items().size() < b.items().size() ? -1 : a.items().size() > b.items().size();
  }
  NeedDefined(rendering, a);
  NeedDefined(rendering, b);
  rendering.Fail("cannot compare {} with {}", TypeName(a), TypeName(b));
}

const Value* Find(Rendering& rendering, const Value& dict, const Value& key) {
  for (const auto& [other, item] : dict.entries()) {
    if (Equal(rendering, other, key)) return &item;
  }
  return nullptr;
}

const Value* Find(Rendering& rendering, const Value& dict, std::string_view key) {
  rendering.Spend(1 + dict.entries().size());
  for (const auto& [other, item] : dict.entries()) {
    if (other.is(Kind::kString) && other.text() == key) return &item;
  }
  return nullptr;
}

Value::Items Iterate(Rendering& rendering, const Value& value) {
  Value::Items items;
  switch (value.kind()) {
    case Kind::kUndefined:
      return items;
    case Kind::kSequence:
      rendering.Spend(value.items().size() + 1);
      return value.items();
    case Kind::kDict:
      rendering.Spend(value.entries().size() + 1);
      for (const auto& [key, item] : value.entries()) items.push_back(key);
      return items;
    case Kind::kString:
      rendering.Spend(value.text().size() + 1);
      for (std::string_view character : Characters(value.text())) items.emplace_back(character);
      return items;
    default:
      rendering.Fail("cannot go through the items of a {}", TypeName(value));
  }
}

}  // namespace grin::jinja
