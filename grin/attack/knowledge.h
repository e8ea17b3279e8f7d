#pragma once
// What a model knows of records, in the figures that every attack uses.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "grin/attack/attack.h"

namespace grin {

// Keyword accuracy (docs/metrics.md) of each record that the sequences belong to, by its number. A
// record without keywords is left out; one where the model gives no finite value is NaN.
std::map<int64_t, double> KeywordAccuracies(const Model& model,
                                            const std::vector<Example>& examples,
                                            const std::vector<const Sequence*>& sequences,
                                            int64_t pass_tokens);

// The sequences whose record is among `records`.
std::vector<const Sequence*> SequencesOfRecords(const std::vector<Sequence>& sequences,
                                                const std::set<int64_t>& records);
std::vector<const Sequence*> AllSequences(const std::vector<Sequence>& sequences);

// The retain sequences that damage is measured on: those of at most --retain-limit records.
std::vector<const Sequence*> RetainSample(const AttackInput& input);

// A figure of what the model knows of the retain sample.
AttackFigure RetainFigure(const AttackInput& input, const Subject& subject, std::string name,
                          std::string label);

// The numbers of the forget records that can be asked: those with a prompt and with keywords.
std::vector<int64_t> AskableRecords(const Task& task);

// Tokens of sequences: the work of scoring them, see Attack::work.
double TokensOf(const std::vector<const Sequence*>& sequences);

// How many tokens an answer may have.
int64_t AnswerTokens(const AttackInput& input);

}  // namespace grin
