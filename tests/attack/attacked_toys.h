#pragma once
// The tiny models of tests/data/attack, and an attack on them.

#include <map>
#include <string>

#include "grin/attack/attack_results.h"
#include "grin/gguf/open_checkpoint.h"
#include "tests/model/tiny.h"

namespace grin {

inline std::filesystem::path AttackData(const std::string& name) {
  return std::filesystem::path(GRIN_TEST_DATA) / "attack" / name;
}

inline const Json& AttackGolden() {
  static const Json golden = GoldenJson("attack/goldens.json");
  return golden;
}

// One of the models with both sets, in fp32.
class AttackedToy {
 public:
  explicit AttackedToy(const std::string& name, AttackOptions options = {})
      : options_(std::move(options)),
        checkpoint_(Checkpoint::Open(AttackData(name))),
        model_(LoadModel(checkpoint_, at::kFloat)),
        encoder_(*checkpoint_, model_.config, {}),
        task_(MakeTask(encoder_, LoadExamples(AttackData("forget.jsonl")),
                       LoadExamples(AttackData("retain.jsonl")), false)),
        before_(Checkpoint::Open(AttackData("before"))) {}

  AttackInput input() const {
    return {.options = options_, .encoder = encoder_, .task = task_, .general = general_};
  }
  Subject subject() const { return {.role = "model", .model = model_, .before = before_.get()}; }

  std::map<std::string, AttackFigure> Run(const Attack& attack) const {
    attack.check(input());
    std::map<std::string, AttackFigure> figures;
    for (AttackFigure& figure : attack.run(input(), subject())) {
      figures[figure.name] = std::move(figure);
    }
    return figures;
  }

  const Model& model() const { return model_; }
  const Encoder& encoder() const { return encoder_; }
  const Task& task() const { return task_; }
  std::vector<Sequence>& general() { return general_; }

 private:
  AttackOptions options_;
  std::shared_ptr<const Checkpoint> checkpoint_;
  Model model_;
  Encoder encoder_;
  Task task_;
  std::shared_ptr<const Checkpoint> before_;
  std::vector<Sequence> general_;
};

inline const Attack& AttackNamed(const std::string& name) {
  return *ChosenAttacks({.attacks = {name}}).at(0);
}

}  // namespace grin
