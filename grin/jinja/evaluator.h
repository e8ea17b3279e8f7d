#pragma once
// Walks a parsed template and makes its text.

#include <memory>
#include <string>
#include <vector>

#include "grin/jinja/builtins.h"
#include "grin/jinja/syntax.h"

namespace grin::jinja {

// The variables of a template, a loop's turn, a macro's call; names not found are looked up in
// the scope around it.
struct Scope {
  std::map<std::string, Value, std::less<>> variables;
  std::shared_ptr<Scope> around;
};
using ScopePtr = std::shared_ptr<Scope>;

class Evaluator {
 public:
  Evaluator(Rendering& rendering, const Value& variables);
  // Takes apart what macros and namespaces may have tied into circles.
  ~Evaluator();

  std::string Run(const Statement& root);

 private:
  enum class Flow { kNormal, kBreak, kContinue };
  class Nesting;
  class InnerScope;

  // Statements (jinja_evaluator.cc) append to out_.
  Flow RunBody(const Statement::Body& body);
  Flow RunStatement(const Statement& statement);
  Flow RunIf(const Statement& statement);
  Flow RunFor(const Statement& statement);
  Flow RunWith(const Statement& statement);
  Flow RunSetBlock(const Statement& statement);
  void RunCall(const Statement& statement);
  void Assign(const Expression& target, const Value& value);
  Value MakeMacro(const Statement& statement);
  Value CallMacro(const Function& macro, const Arguments& arguments);
  // What the body writes, instead of writing it.
  std::string Capture(const Statement::Body& body, Flow* flow = nullptr);

  // Expressions (jinja_expressions.cc).
  Value Eval(const Expression& expression);
  Value EvalPart(const Expression& expression, size_t part);
  Value EvalName(const Expression& expression);
  Value EvalCompare(const Expression& expression);
  Value EvalDict(const Expression& expression);
  Value EvalCall(const Expression& expression, const Value* caller = nullptr);
  Value EvalFilter(const Expression& expression, const Value* block_text = nullptr);
  Value EvalSign(const Expression& expression);
  std::vector<Value> EvalParts(const Expression& expression, size_t from);
  Arguments EvalArguments(const Expression& expression);

  Rendering& rendering_;
  ScopePtr scope_;
  std::string out_;
  std::vector<ScopePtr> captured_;  // by macros
};

// Bounds expressions, statements and macro calls within each other.
class Evaluator::Nesting {
 public:
  Nesting(Rendering& rendering, int line) : rendering_(rendering) {
    rendering_.line = line;
    rendering_.Spend(1);
    if (++rendering_.depth > kDeepest) {
      rendering_.Fail("macros call each other deeper than the stack allows");
    }
  }
  ~Nesting() { --rendering_.depth; }

 private:
  static constexpr int kDeepest = 1500;
  Rendering& rendering_;
};

// A scope for as long as this lives.
class Evaluator::InnerScope {
 public:
  InnerScope(Evaluator& evaluator, ScopePtr around)
      : evaluator_(evaluator), outer_(evaluator.scope_) {
    evaluator_.scope_ = std::make_shared<Scope>(Scope{{}, std::move(around)});
  }
  explicit InnerScope(Evaluator& evaluator) : InnerScope(evaluator, evaluator.scope_) {}
  ~InnerScope() { evaluator_.scope_ = std::move(outer_); }

 private:
  Evaluator& evaluator_;
  ScopePtr outer_;
};

}  // namespace grin::jinja
