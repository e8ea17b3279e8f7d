#include "grin/attack/parts.h"

#include "grin/tune/state_file.h"

namespace grin {
namespace {

// [[key, value], ...]
template <typename List, typename F>
Json PairsToJson(const List& list, const F& write) {
  Json pairs = Json::array();
  for (const auto& [key, value] : list) pairs.push_back(Json::array({key, write(value)}));
  return pairs;
}

}  // namespace

Json FigureToJson(const AttackFigure& figure) {
  return {{"name", figure.name},
          {"label", figure.label},
          {"is_knowledge", figure.is_knowledge},
          {"by_record", PairsToJson(figure.by_record, ExactJson)},
          {"value", ExactJson(figure.value)},
          {"why", figure.why},
          {"start", ExactJson(figure.start)},
          {"curve", PairsToJson(figure.curve, ExactJson)},
          {"record_details", PairsToJson(figure.record_details, [](const Json& one) { return one; })},
          {"details", figure.details}};
}

AttackFigure FigureFromJson(const Json& json) {
  AttackFigure figure{.name = json.at("name"),
                      .label = json.at("label"),
                      .is_knowledge = json.at("is_knowledge"),
                      .value = FromExactJson(json.at("value")),
                      .why = json.at("why"),
                      .start = FromExactJson(json.at("start")),
                      .details = json.at("details")};
  for (const Json& pair : json.at("by_record")) {
    figure.by_record[pair.at(0)] = FromExactJson(pair.at(1));
  }
  for (const Json& pair : json.at("curve")) {
    figure.curve.emplace_back(pair.at(0), FromExactJson(pair.at(1)));
  }
  for (const Json& pair : json.at("record_details")) {
    figure.record_details[pair.at(0)] = pair.at(1);
  }
  return figure;
}

std::vector<AttackFigure> FiguresOfPart(const Subject& subject, const std::string& name, double share,
                                        const std::function<std::vector<AttackFigure>()>& work) {
  if (!subject.parts) return work();
  const Json done = subject.parts->Do(name, share, [&] {
    Json figures = Json::array();
    for (const AttackFigure& figure : work()) figures.push_back(FigureToJson(figure));
    return figures;
  });
  std::vector<AttackFigure> figures;
  for (const Json& figure : done) figures.push_back(FigureFromJson(figure));
  return figures;
}

std::map<int64_t, int64_t> CountsOfPart(const Subject& subject, const std::string& name, double share,
                                        const std::function<std::map<int64_t, int64_t>()>& work) {
  if (!subject.parts) return work();
  const Json done = subject.parts->Do(
      name, share, [&] { return PairsToJson(work(), [](int64_t count) { return count; }); });
  std::map<int64_t, int64_t> counts;
  for (const Json& pair : done) counts[pair.at(0)] = pair.at(1);
  return counts;
}

}  // namespace grin
