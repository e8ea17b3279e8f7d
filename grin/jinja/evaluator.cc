// Statements, then expressions.

#include "grin/jinja/evaluator.h"

#include <algorithm>

namespace grin::jinja {

Evaluator::Evaluator(Rendering& rendering, const Value& variables)
    : rendering_(rendering), scope_(std::make_shared<Scope>()) {
  for (const auto& [name, value] : variables.entries()) {
    scope_->variables.emplace(name.text(), value);
  }
}

Evaluator::~Evaluator() {
  for (const ScopePtr& scope : captured_) scope->variables.clear();
  for (const auto& space : rendering_.namespaces) space->variables.clear();
}

std::string Evaluator::Run(const Statement& root) {
  RunBody(root.bodies[0]);
  return std::move(out_);
}

Evaluator::Flow Evaluator::RunBody(const Statement::Body& body) {
  for (const auto& statement : body) {
    const Flow flow = RunStatement(*statement);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::RunStatement(const Statement& statement) {
  const Nesting nesting(rendering_, statement.line);
  switch (statement.kind) {
    case Statement::Kind::kBody:
      return RunBody(statement.bodies[0]);
    case Statement::Kind::kText:
      rendering_.SpendText(statement.text.size());
      out_ += statement.text;
      return Flow::kNormal;
    case Statement::Kind::kPrint:
      out_ += ToText(rendering_, Eval(*statement.parts[0]));
      return Flow::kNormal;
    case Statement::Kind::kIf:
      return RunIf(statement);
    case Statement::Kind::kFor:
      return RunFor(statement);
    case Statement::Kind::kSet:
      Assign(*statement.parts[0], Eval(*statement.parts[1]));
      return Flow::kNormal;
    case Statement::Kind::kSetBlock:
      return RunSetBlock(statement);
    case Statement::Kind::kMacro:
      scope_->variables.insert_or_assign(statement.text, MakeMacro(statement));
      return Flow::kNormal;
    case Statement::Kind::kCall:
      RunCall(statement);
      return Flow::kNormal;
    case Statement::Kind::kFilterBlock: {
      const Value text = Capture(statement.bodies[0]);
      out_ += ToText(rendering_, EvalFilter(*statement.parts[0], &text));
      return Flow::kNormal;
    }
    case Statement::Kind::kWith:
      return RunWith(statement);
    case Statement::Kind::kScope: {
      const InnerScope scope(*this);
      return RunBody(statement.bodies[0]);
    }
    case Statement::Kind::kBreak:
      return Flow::kBreak;
    case Statement::Kind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::RunIf(const Statement& statement) {
  for (size_t i = 0; i < statement.parts.size(); ++i) {
    if (IsTrue(Eval(*statement.parts[i]))) return RunBody(statement.bodies[i]);
  }
  const bool has_else = statement.bodies.size() > statement.parts.size();
  return has_else ? RunBody(statement.bodies.back()) : Flow::kNormal;
}

Evaluator::Flow Evaluator::RunFor(const Statement& statement) {
  const Expression& target = *statement.parts[0];
  auto loop = std::make_shared<Loop>();
  for (Value& item : Iterate(rendering_, Eval(*statement.parts[1]))) {
    if (statement.parts[2]) {
      const InnerScope scope(*this);
      Assign(target, item);
      if (!IsTrue(Eval(*statement.parts[2]))) continue;
    }
    loop->items.push_back(std::move(item));
  }
  Flow flow = Flow::kNormal;
  for (const Value& item : loop->items) {
    const InnerScope scope(*this);
    scope_->variables.emplace("loop", loop);
    Assign(target, item);
    flow = RunBody(statement.bodies[0]);
    if (flow == Flow::kBreak) break;
    ++loop->index0;
  }
  if (loop->items.empty() && statement.bodies.size() > 1) {
    const InnerScope scope(*this);
    return RunBody(statement.bodies[1]);
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::RunWith(const Statement& statement) {
  // The values see the variables around the block, not each other.
  std::vector<Value> values;
  for (size_t i = 1; i < statement.parts.size(); i += 2) {
    values.push_back(Eval(*statement.parts[i]));
  }
  const InnerScope scope(*this);
  for (size_t i = 0; i < values.size(); ++i) Assign(*statement.parts[2 * i], values[i]);
  return RunBody(statement.bodies[0]);
}

Evaluator::Flow Evaluator::RunSetBlock(const Statement& statement) {
  Flow flow = Flow::kNormal;
  Value text = Capture(statement.bodies[0], &flow);
  if (flow != Flow::kNormal) return flow;
  if (statement.parts[1]) text = EvalFilter(*statement.parts[1], &text);
  Assign(*statement.parts[0], text);
  return Flow::kNormal;
}

void Evaluator::RunCall(const Statement& statement) {
  const Value caller = MakeMacro(*statement.caller);
  out_ += ToText(rendering_, EvalCall(*statement.parts[0], &caller));
}

std::string Evaluator::Capture(const Statement::Body& body, Flow* flow) {
  std::string outer = std::exchange(out_, {});
  const InnerScope scope(*this);
  const Flow reached = RunBody(body);
  if (flow) *flow = reached;
  return std::exchange(out_, std::move(outer));
}

void Evaluator::Assign(const Expression& target, const Value& value) {
  rendering_.Spend(1);
  if (target.kind == Expression::Kind::kName) {
    scope_->variables.insert_or_assign(target.text, value);
    return;
  }
  if (target.kind == Expression::Kind::kAttribute) {
    const Value space = EvalName(*target.parts[0]);
    if (!space.is(Kind::kNamespace)) {
      rendering_.Fail("only a namespace's members can be set; '{}' is a {}", target.parts[0]->text,
                      TypeName(space));
    }
    space.space().variables.insert_or_assign(target.text, value);
    return;
  }
  NeedDefined(rendering_, value);
  const Value::Items items = Iterate(rendering_, value);
  if (items.size() != target.parts.size()) {
    rendering_.Fail("{} values cannot be taken apart into {} names", items.size(),
                    target.parts.size());
  }
  for (size_t i = 0; i < items.size(); ++i) Assign(*target.parts[i], items[i]);
}

Value Evaluator::MakeMacro(const Statement& statement) {
  captured_.push_back(scope_);
  return std::make_shared<const Function>(
      Function{statement.text, Value::Undefined(""), &statement, scope_});
}

Value Evaluator::CallMacro(const Function& macro, const Arguments& arguments) {
  const Nesting nesting(rendering_, rendering_.line);
  const Statement& definition = *macro.macro;
  const auto& names = definition.parameters;
  if (arguments.positional.size() > names.size()) {
    rendering_.Fail("the macro {} takes {} arguments, not {}", macro.name, names.size(),
                    arguments.positional.size());
  }
  const InnerScope scope(*this, macro.scope);
  auto& variables = scope_->variables;
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    variables.insert_or_assign(names[i], arguments.positional[i]);
  }
  for (const auto& [name, value] : arguments.named) {
    const bool known = std::find(names.begin(), names.end(), name) != names.end();
    if (!known && name != "caller") {
      rendering_.Fail("the macro {} has no argument '{}'", macro.name, name);
    }
    if (!variables.emplace(name, value).second) {
      rendering_.Fail("the macro {} is given '{}' twice", macro.name, name);
    }
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (variables.contains(names[i])) continue;
    variables.insert_or_assign(
        names[i], definition.parts[i]
                      ? Eval(*definition.parts[i])
                      : Value::Undefined(fmt::format("the argument '{}' was not given", names[i])));
  }
  return Capture(definition.bodies[0]);
}

Value Evaluator::Eval(const Expression& expression) {
  const Nesting nesting(rendering_, expression.line);
  switch (expression.kind) {
    case Expression::Kind::kConstant:
      return expression.constant;
    case Expression::Kind::kName:
      return EvalName(expression);
    case Expression::Kind::kList:
      return Value::Of(rendering_, EvalParts(expression, 0));
    case Expression::Kind::kTuple:
      return Value::Of(rendering_, EvalParts(expression, 0), SequenceKind::kTuple);
    case Expression::Kind::kDict:
      return EvalDict(expression);
    case Expression::Kind::kAttribute:
      return GetAttribute(rendering_, EvalPart(expression, 0), expression.text);
    case Expression::Kind::kItem: {
      const Value object = EvalPart(expression, 0);
      return GetItem(rendering_, object, EvalPart(expression, 1));
    }
    case Expression::Kind::kSlice: {
      const std::vector<Value> parts = EvalParts(expression, 0);
      return GetSlice(rendering_, parts[0], parts[1], parts[2], parts[3]);
    }
    case Expression::Kind::kCall:
      return EvalCall(expression);
    case Expression::Kind::kFilter:
      return EvalFilter(expression);
    case Expression::Kind::kTest:
      return ApplyTest(rendering_, expression.text, EvalPart(expression, 0),
                       EvalArguments(expression));
    case Expression::Kind::kNot:
      return !IsTrue(EvalPart(expression, 0));
    case Expression::Kind::kNegative:
    case Expression::Kind::kPositive:
      return EvalSign(expression);
    case Expression::Kind::kAnd: {
      Value left = EvalPart(expression, 0);
      return IsTrue(left) ? EvalPart(expression, 1) : left;
    }
    case Expression::Kind::kOr: {
      Value left = EvalPart(expression, 0);
      return IsTrue(left) ? left : EvalPart(expression, 1);
    }
    case Expression::Kind::kConditional:
      if (IsTrue(EvalPart(expression, 1))) return EvalPart(expression, 0);
      if (expression.parts[2]) return EvalPart(expression, 2);
      return Value::Undefined("the inline 'if' is false and has no 'else'");
    case Expression::Kind::kConcat: {
      std::string text;
      for (const Value& part : EvalParts(expression, 0)) text += ToText(rendering_, part);
      return text;
    }
    case Expression::Kind::kArithmetic: {
      const Value left = EvalPart(expression, 0);
      const Value right = EvalPart(expression, 1);
      rendering_.line = expression.line;
      return Arithmetic(rendering_, expression.text, left, right);
    }
    case Expression::Kind::kCompare:
      return EvalCompare(expression);
  }
  return {};
}

// None for a part that was left out.
Value Evaluator::EvalPart(const Expression& expression, size_t part) {
  return expression.parts[part] ? Eval(*expression.parts[part]) : Value();
}

std::vector<Value> Evaluator::EvalParts(const Expression& expression, size_t from) {
  std::vector<Value> values;
  for (size_t i = from; i < expression.parts.size(); ++i) {
    values.push_back(EvalPart(expression, i));
  }
  return values;
}

Arguments Evaluator::EvalArguments(const Expression& expression) {
  Arguments arguments;
  arguments.positional = EvalParts(expression, 1);
  for (const auto& [name, value] : expression.named)
    arguments.named.emplace_back(name, Eval(*value));
  return arguments;
}

Value Evaluator::EvalName(const Expression& expression) {
  for (const Scope* scope = scope_.get(); scope; scope = scope->around.get()) {
    const auto found = scope->variables.find(expression.text);
    if (found != scope->variables.end()) return found->second;
  }
  if (IsGlobal(expression.text)) {
    return std::make_shared<const Function>(Function{expression.text});
  }
  return Value::Undefined(fmt::format("'{}' is undefined", expression.text));
}

Value Evaluator::EvalDict(const Expression& expression) {
  const std::vector<Value> parts = EvalParts(expression, 0);
  Value::Entries entries;
  for (size_t i = 0; i < parts.size(); i += 2) entries.emplace_back(parts[i], parts[i + 1]);
  return Value::Of(rendering_, std::move(entries));
}

Value Evaluator::EvalSign(const Expression& expression) {
  const Value value = EvalPart(expression, 0);
  NeedDefined(rendering_, value);
  if (!value.IsNumber()) rendering_.Fail("a {} has no sign", TypeName(value));
  if (expression.kind == Expression::Kind::kPositive) {
    return value.IsInteger() ? Value(value.integer()) : value;
  }
  if (value.is(Kind::kFloat)) return -value.number();
  return Arithmetic(rendering_, "-", int64_t{0}, value);
}

Value Evaluator::EvalCompare(const Expression& expression) {
  Value left = EvalPart(expression, 0);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = EvalPart(expression, i + 1);
    const std::string& op = expression.operators[i];
    bool holds = false;
    if (op == "==" || op == "!=") {
      holds = Equal(rendering_, left, right) == (op == "==");
    } else if (op == "in" || op == "not in") {
      holds = Contains(rendering_, right, left) == (op == "in");
    } else {
      const int order = Compare(rendering_, left, right);
      holds = op == "<" ? order < 0 : op == "<=" ? order <= 0 : op == ">" ? order > 0 : order >= 0;
    }
    if (!holds) return false;
    left = std::move(right);
  }
  return true;
}

Value Evaluator::EvalCall(const Expression& expression, const Value* caller) {
  const Value callee = EvalPart(expression, 0);
  NeedDefined(rendering_, callee);
  if (!callee.is(Kind::kFunction)) {
    rendering_.Fail("a {} cannot be called", TypeName(callee));
  }
  const Function& function = callee.function();
  Arguments arguments = EvalArguments(expression);
  if (caller) arguments.named.emplace_back("caller", *caller);
  rendering_.line = expression.line;
  if (function.macro) return CallMacro(function, arguments);
  if (function.self.is(Kind::kUndefined)) {
    return CallGlobal(rendering_, function.name, arguments);
  }
  return CallMethod(rendering_, function, arguments);
}

Value Evaluator::EvalFilter(const Expression& expression, const Value* block_text) {
  const Nesting nesting(rendering_, expression.line);
  // Filters of a block are a chain whose innermost input is the block's text.
  const Expression* inner = expression.parts[0].get();
  Value input;
  if (inner == nullptr) {
    if (block_text != nullptr) input = *block_text;
  } else if (block_text != nullptr && inner->kind == Expression::Kind::kFilter) {
    input = EvalFilter(*inner, block_text);
  } else {
    input = Eval(*inner);
  }
  const Arguments arguments = EvalArguments(expression);
  rendering_.line = expression.line;
  return ApplyFilter(rendering_, expression.text, input, arguments);
}

}  // namespace grin::jinja
