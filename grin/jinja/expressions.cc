// Expressions.

#include "grin/jinja/evaluator.h"

namespace grin::jinja {

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
