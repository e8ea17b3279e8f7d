// Filters of lists, dicts and whatever else has items.

#include <algorithm>
#include <charconv>

#include "grin/jinja/filter.h"
#include "grin/jinja/string.h"

namespace grin::jinja {
namespace {

using Use = FilterUse;

// "name", "function.name" or 0: the member of an item that a filter looks at; the item itself
// without an attribute.
Value Member(Rendering& rendering, Value item, const Value& attribute) {
  if (attribute.is(Kind::kUndefined) || attribute.is(Kind::kNone)) return item;
  if (!attribute.is(Kind::kString)) return GetItem(rendering, item, attribute);
  for (std::string_view part : Split(attribute.text(), ".")) {
    int64_t index = 0;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool number = IsDigit(part) && read.ec == std::errc();
    item = GetItem(rendering, item, number ? Value(index) : Value(part));
  }
  return item;
}

Value Join(const Use& use) {
  const auto bound = use.Bound({"d", "attribute"});
  const std::string between = TextOr(use.rendering, bound[0], "");
  std::string text;
  bool first = true;
  for (const Value& item : use.Items()) {
    if (!std::exchange(first, false)) text += between;
    use.rendering.SpendText(between.size());
    text += ToText(use.rendering, Member(use.rendering, item, bound[1]));
  }
  return text;
}

Value FirstOrLast(const Use& use) {
  use.Bound({});
  const Value::Items items = use.Items();
  if (items.empty()) return Value::Undefined("there is no first or last item of nothing");
  return use.name == "first" ? items.front() : items.back();
}

Value ListFilter(const Use& use) {
  use.Bound({});
  return use.List(use.Items());
}

Value Reverse(const Use& use) {
  use.Bound({});
  Value::Items items = use.Items();
  std::reverse(items.begin(), items.end());
  if (!use.input.is(Kind::kString)) return use.List(std::move(items), SequenceKind::kIterator);
  std::string text;
  for (const Value& character : items) text += character.text();
  return text;
}

Value ItemsFilter(const Use& use) {
  use.Bound({});
  if (use.input.is(Kind::kUndefined)) return use.List({}, SequenceKind::kIterator);
  if (!use.input.is(Kind::kDict)) use.rendering.Fail("items of a {}", TypeName(use.input));
  const Value pairs = CallMethod(use.rendering, {"items", use.input}, {});
  return use.List(pairs.items(), SequenceKind::kIterator);
}

Arguments Rest(const Arguments& arguments, size_t from) {
  Arguments rest;
  rest.named = arguments.named;
  for (size_t i = from; i < arguments.positional.size(); ++i) {
    rest.positional.push_back(arguments.positional[i]);
  }
  return rest;
}

Value Map(const Use& use) {
  Value::Items out;
  if (use.arguments.positional.empty()) {
    const auto bound = use.Bound({"attribute", "default"}, 1);
    for (const Value& item : use.ItemsIfTrue()) {
      Value member = Member(use.rendering, item, bound[0]);
      out.push_back(member.is(Kind::kUndefined) && !bound[1].is(Kind::kUndefined) ? bound[1]
                                                                                  : member);
    }
  } else {
    const std::string filter = ToText(use.rendering, use.arguments.positional[0]);
    const Arguments rest = Rest(use.arguments, 1);
    for (const Value& item : use.ItemsIfTrue()) {
      out.push_back(ApplyFilter(use.rendering, filter, item, rest));
    }
  }
  return use.List(std::move(out), SequenceKind::kIterator);
}

// select, reject (test, ...), selectattr, rejectattr (attribute, test, ...).
Value Select(const Use& use) {
  const bool by_attribute = use.name.ends_with("attr");
  const bool keep = use.name.starts_with("select");
  const auto& given = use.arguments.positional;
  const size_t at = by_attribute ? 1 : 0;
  if (given.size() < at) use.rendering.Fail("{} needs an attribute", use.name);
  const std::string test = given.size() > at ? ToText(use.rendering, given[at]) : "";
  const Arguments rest = Rest(use.arguments, at + 1);
  Value::Items out;
  for (const Value& item : use.ItemsIfTrue()) {
    const Value value = by_attribute ? Member(use.rendering, item, given[0]) : item;
    const bool passes =
        given.size() > at ? ApplyTest(use.rendering, test, value, rest) : IsTrue(value);
    if (passes == keep) out.push_back(item);
  }
  return use.List(std::move(out), SequenceKind::kIterator);
}

// What Jinja sorts by: the member, strings in lower case unless told otherwise.
Value SortKey(Rendering& rendering, const Value& item, const Value& attribute,
              bool case_sensitive) {
  Value key = Member(rendering, item, attribute);
  return key.is(Kind::kString) && !case_sensitive ? Value(Lower(key.text())) : key;
}

// The items in the order of their keys; equal ones stay in theirs.
Value::Items Sorted(Rendering& rendering, const Value::Items& items, const Value& attribute,
                    bool case_sensitive, bool reverse) {
  Value::Entries keyed;
  for (const Value& item : items) {
    keyed.emplace_back(SortKey(rendering, item, attribute, case_sensitive), item);
  }
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    const int order = Compare(rendering, a.first, b.first);
    return reverse ? order > 0 : order < 0;
  });
  Value::Items sorted;
  for (auto& [key, item] : keyed) sorted.push_back(std::move(item));
  return sorted;
}

Value Sort(const Use& use) {
  const auto bound = use.Bound({"reverse", "case_sensitive", "attribute"});
  return use.List(Sorted(use.rendering, use.Items(), bound[2], IsTrue(bound[1]), IsTrue(bound[0])));
}

Value DictSort(const Use& use) {
  const auto bound = use.Bound({"case_sensitive", "by", "reverse"});
  const std::string by = TextOr(use.rendering, bound[1], "key");
  if (!use.input.is(Kind::kDict)) use.rendering.Fail("dictsort of a {}", TypeName(use.input));
  const Value pairs = CallMethod(use.rendering, {"items", use.input}, {});
  return use.List(Sorted(use.rendering, pairs.items(), int64_t{by == "value"}, IsTrue(bound[0]),
                         IsTrue(bound[2])));
}

Value MinOrMax(const Use& use) {
  const auto bound = use.Bound({"case_sensitive", "attribute"});
  const Value::Items sorted =
      Sorted(use.rendering, use.Items(), bound[1], IsTrue(bound[0]), use.name == "max");
  return sorted.empty() ? Value::Undefined("there is no min or max of nothing") : sorted[0];
}

Value Unique(const Use& use) {
  const auto bound = use.Bound({"case_sensitive", "attribute"});
  Value::Items keys;
  Value::Items out;
  for (const Value& item : use.Items()) {
    Value key = SortKey(use.rendering, item, bound[1], IsTrue(bound[0]));
    const bool seen = std::any_of(keys.begin(), keys.end(), [&](const Value& other) {
      return Equal(use.rendering, key, other);
    });
    if (seen) continue;
    keys.push_back(std::move(key));
    out.push_back(item);
  }
  return use.List(std::move(out), SequenceKind::kIterator);
}

Value Sum(const Use& use) {
  const auto bound = use.Bound({"attribute", "start"});
  Value sum = bound[1].is(Kind::kUndefined) ? Value(int64_t{0}) : bound[1];
  for (const Value& item : use.Items()) {
    sum = Arithmetic(use.rendering, "+", sum, Member(use.rendering, item, bound[0]));
  }
  return sum;
}

Value Batch(const Use& use) {
  const auto bound = use.Bound({"linecount", "fill_with"}, 1);
  const int64_t size = IntegerOr(use.rendering, bound[0], 1);
  if (size < 1) use.rendering.Fail("batch: lines of {} items", size);
  Value::Items lines;
  Value::Items line;
  for (const Value& item : use.Items()) {
    if (static_cast<int64_t>(line.size()) == size) {
      lines.push_back(use.List(std::exchange(line, {})));
    }
    line.push_back(item);
  }
  const bool fill = !bound[1].is(Kind::kUndefined) && !bound[1].is(Kind::kNone);
  while (fill && !line.empty() && static_cast<int64_t>(line.size()) < size) {
    use.rendering.Spend(1);
    line.push_back(bound[1]);
  }
  if (!line.empty()) lines.push_back(use.List(std::move(line)));
  return use.List(std::move(lines), SequenceKind::kIterator);
}

}  // namespace

const FilterTable& ListFilters() {
  static const FilterTable filters = {
      {"batch", Batch},     {"dictsort", DictSort}, {"first", FirstOrLast}, {"items", ItemsFilter},
      {"join", Join},       {"last", FirstOrLast},  {"list", ListFilter},   {"map", Map},
      {"max", MinOrMax},    {"min", MinOrMax},      {"reject", Select},     {"rejectattr", Select},
      {"reverse", Reverse}, {"select", Select},     {"selectattr", Select}, {"sort", Sort},
      {"sum", Sum},         {"unique", Unique}};
  return filters;
}

}  // namespace grin::jinja
