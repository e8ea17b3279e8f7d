"""The tiny checkpoints of make_model_goldens.py: what is uncommon in each of them."""

import torch

# Number forms as transformers 4 wrote them; fixtures with "v5" keep what transformers 5 writes.
FIXTURES = {
    # As Llama 1: as many key-value heads as heads, keys that later versions added left out.
    "llama_plain": dict(
        config=dict(hidden_size=32, intermediate_size=44, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=4, vocab_size=97,
                    rms_norm_eps=1e-6, max_position_embeddings=64),
        drop=["num_key_value_heads", "head_dim", "rope_theta", "attention_bias", "mlp_bias"]),
    "llama_gqa_tied": dict(
        config=dict(hidden_size=40, intermediate_size=56, num_hidden_layers=3,
                    num_attention_heads=4, num_key_value_heads=2, head_dim=12, vocab_size=120,
                    rms_norm_eps=3.3e-4, max_position_embeddings=128, tie_word_embeddings=True,
                    rope_parameters=dict(rope_type="default", rope_theta=500000.0)),
        dtype=torch.bfloat16, v5=True),
    "llama_biases": dict(
        config=dict(hidden_size=36, intermediate_size=52, num_hidden_layers=2,
                    num_attention_heads=3, num_key_value_heads=1, head_dim=14, vocab_size=101,
                    rms_norm_eps=1e-5, max_position_embeddings=64, attention_bias=True,
                    mlp_bias=True),
        dtype=torch.float16),
    "llama3_rope": dict(
        config=dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, head_dim=16, vocab_size=128,
                    rms_norm_eps=1e-5, max_position_embeddings=256,
                    eos_token_id=[3, 5, 7],
                    rope_parameters=dict(rope_type="llama3", rope_theta=500.0, factor=8.0,
                                         low_freq_factor=1.0, high_freq_factor=4.0,
                                         original_max_position_embeddings=32)),
        dtype=torch.bfloat16),
    "llama_linear_rope_sharded": dict(
        config=dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2,
                    num_attention_heads=2, num_key_value_heads=1, head_dim=20, vocab_size=90,
                    rms_norm_eps=1e-5, max_position_embeddings=96,
                    rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=2.5)),
        shards=3, old_rope_type=True),
    # The dynamic form is the plain one up to max_position_embeddings.
    "llama_dynamic_rope": dict(
        config=dict(hidden_size=24, intermediate_size=32, num_hidden_layers=2,
                    num_attention_heads=2, num_key_value_heads=2, head_dim=12, vocab_size=80,
                    rms_norm_eps=1e-5, max_position_embeddings=64,
                    rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0)),
        dtype=torch.bfloat16, v5=True),
    # As SmolLM2: three queries share a key, tied, bf16.
    "llama_nine_heads": dict(
        config=dict(hidden_size=36, intermediate_size=48, num_hidden_layers=3,
                    num_attention_heads=9, num_key_value_heads=3, vocab_size=150,
                    rms_norm_eps=1e-5, max_position_embeddings=128, tie_word_embeddings=True,
                    rope_parameters=dict(rope_type="default", rope_theta=100000.0)),
        dtype=torch.bfloat16),
    "mistral_window": dict(
        config=dict(hidden_size=32, intermediate_size=44, num_hidden_layers=3,
                    num_attention_heads=4, num_key_value_heads=2, head_dim=10, vocab_size=112,
                    rms_norm_eps=1e-5, max_position_embeddings=128, sliding_window=7),
        type="mistral", dtype=torch.bfloat16),
    "mistral_gelu": dict(
        config=dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, vocab_size=88, hidden_act="gelu",
                    rms_norm_eps=2e-3, max_position_embeddings=128, sliding_window=None),
        type="mistral"),
    # YaRN with every setting of its own, in Llama as in anything else.
    "llama_yarn": dict(
        config=dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2,
                    num_attention_heads=2, num_key_value_heads=1, head_dim=16, vocab_size=71,
                    max_position_embeddings=96, pad_token_id=-1,
                    rope_parameters=dict(rope_type="yarn", rope_theta=5000.0, factor=4.0,
                                         original_max_position_embeddings=24, beta_fast=6.0,
                                         beta_slow=1.5, mscale=0.7, mscale_all_dim=0.9,
                                         truncate=False)), v5=True),
    # Buffers of older libraries beside the weights.
    "llama_buffers": dict(
        config=dict(hidden_size=24, intermediate_size=30, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=1, vocab_size=60,
                    max_position_embeddings=64, pad_token_id=3),
        buffers={f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.arange(3.0) + i
                 for i in range(2)}),
    "qwen2_windows_yarn": dict(
        type="qwen2",
        config=dict(hidden_size=32, intermediate_size=44, num_hidden_layers=3,
                    num_attention_heads=4, num_key_value_heads=2, vocab_size=83,
                    rms_norm_eps=1e-5, max_position_embeddings=64, tie_word_embeddings=True,
                    use_sliding_window=True, sliding_window=9, max_window_layers=2,
                    pad_token_id=5,
                    rope_parameters=dict(rope_type="yarn", rope_theta=1000000.0, factor=4.0,
                                         original_max_position_embeddings=16)),
        dtype=torch.bfloat16, old_rope_type=True, drop=["layer_types", "head_dim"]),
    "qwen2_sharded": dict(
        type="qwen2",
        config=dict(hidden_size=30, intermediate_size=38, num_hidden_layers=2,
                    num_attention_heads=3, num_key_value_heads=3, vocab_size=77,
                    max_position_embeddings=64), shards=2, v5=True),
    "qwen3_biases": dict(
        type="qwen3",
        config=dict(hidden_size=24, intermediate_size=36, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, head_dim=10, vocab_size=79,
                    rms_norm_eps=1e-3, max_position_embeddings=64, attention_bias=True,
                    rope_parameters=dict(rope_type="default", rope_theta=1000000.0)), v5=True),
    "qwen3_tied": dict(
        type="qwen3",
        config=dict(hidden_size=32, intermediate_size=40, num_hidden_layers=4,
                    num_attention_heads=4, num_key_value_heads=1, head_dim=12, vocab_size=90,
                    max_position_embeddings=64, tie_word_embeddings=True, use_sliding_window=True,
                    sliding_window=6, pad_token_id=0,
                    layer_types=["sliding_attention", "full_attention"] * 2),
        dtype=torch.bfloat16, v5=True),
    "smollm3_nope": dict(
        type="smollm3",
        config=dict(hidden_size=32, intermediate_size=40, num_hidden_layers=5,
                    num_attention_heads=4, num_key_value_heads=2, vocab_size=85,
                    max_position_embeddings=64, no_rope_layer_interval=2, pad_token_id=4,
                    bos_token_id=1, eos_token_id=2, attention_bias=True, mlp_bias=True,
                    use_sliding_window=True, sliding_window=8,
                    rope_parameters=dict(rope_type="default", rope_theta=1500000.0)),
        dtype=torch.bfloat16, drop=["layer_types"]),
    "smollm3_listed": dict(
        type="smollm3",
        config=dict(hidden_size=28, intermediate_size=36, num_hidden_layers=3,
                    num_attention_heads=2, num_key_value_heads=1, vocab_size=66,
                    max_position_embeddings=64, no_rope_layers=[1, 0, 1], pad_token_id=4,
                    bos_token_id=1, eos_token_id=2, tie_word_embeddings=False), v5=True),
    "gemma1_legacy_gelu": dict(
        type="gemma",
        config=dict(hidden_size=28, intermediate_size=40, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=1, head_dim=10, vocab_size=75,
                    hidden_act="gelu", max_position_embeddings=64, attention_bias=True),
        overwrite=dict(hidden_act="gelu"), drop=["tie_word_embeddings"]),
    "gemma2_caps": dict(
        type="gemma2",
        config=dict(hidden_size=32, intermediate_size=44, num_hidden_layers=4,
                    num_attention_heads=4, num_key_value_heads=2, head_dim=12, vocab_size=93,
                    max_position_embeddings=64, query_pre_attn_scalar=20, sliding_window=7,
                    attn_logit_softcapping=2.5, final_logit_softcapping=7.0),
        dtype=torch.bfloat16, drop=["layer_types", "tie_word_embeddings"]),
    "gemma2_uncapped": dict(
        type="gemma2",
        config=dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2,
                    num_attention_heads=2, num_key_value_heads=2, head_dim=8, vocab_size=64,
                    max_position_embeddings=64, sliding_window=50, attention_bias=True,
                    attn_logit_softcapping=None, final_logit_softcapping=None,
                    tie_word_embeddings=False), v5=True),
    "gemma3_two_bases": dict(
        type="gemma3_text",
        config=dict(hidden_size=32, intermediate_size=44, num_hidden_layers=4,
                    num_attention_heads=4, num_key_value_heads=2, head_dim=10, vocab_size=91,
                    max_position_embeddings=64, query_pre_attn_scalar=13, sliding_window=6,
                    sliding_window_pattern=3,
                    rope_parameters=dict(
                        full_attention=dict(rope_type="linear", rope_theta=300000.0, factor=8.0),
                        sliding_attention=dict(rope_type="default", rope_theta=7000.0))),
        dtype=torch.bfloat16, drop=["layer_types", "tie_word_embeddings"],
        overwrite=dict(sliding_window_pattern=3)),
    "gemma3_listed": dict(
        type="gemma3_text",
        config=dict(hidden_size=24, intermediate_size=36, num_hidden_layers=3,
                    num_attention_heads=2, num_key_value_heads=1, head_dim=14, vocab_size=74,
                    max_position_embeddings=64, sliding_window=5, attention_bias=True,
                    final_logit_softcapping=9.0, tie_word_embeddings=False,
                    layer_types=["full_attention", "sliding_attention", "sliding_attention"]),
        v5=True),
    # Sequences of up to 16 tokens turn by other frequencies than longer ones.
    "phi3_longrope": dict(
        type="phi3",
        config=dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, vocab_size=87,
                    max_position_embeddings=64, original_max_position_embeddings=16,
                    pad_token_id=2, bos_token_id=1, eos_token_id=2,
                    rope_parameters=dict(rope_type="longrope", rope_theta=10000.0,
                                         partial_rotary_factor=0.8,
                                         short_factor=[1.0, 1.2, 1.5],
                                         long_factor=[1.1, 2.7, 4.1])),
        dtype=torch.bfloat16),
    "phi3_window": dict(
        type="phi3",
        config=dict(hidden_size=36, intermediate_size=44, num_hidden_layers=2,
                    num_attention_heads=3, num_key_value_heads=3, vocab_size=81,
                    rms_norm_eps=1e-4, max_position_embeddings=64, sliding_window=11,
                    tie_word_embeddings=True, pad_token_id=None, bos_token_id=1, eos_token_id=2),
        v5=True, shards=2),
    "phi_grouped": dict(
        type="phi",
        config=dict(hidden_size=32, intermediate_size=44, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, vocab_size=82,
                    max_position_embeddings=64, qk_layernorm=True,
                    rope_parameters=dict(rope_type="default", rope_theta=10000.0,
                                         partial_rotary_factor=0.75)),
        drop=["head_dim"]),
    "phi_plain": dict(
        type="phi",
        config=dict(hidden_size=36, intermediate_size=40, num_hidden_layers=2,
                    num_attention_heads=3, vocab_size=78, layer_norm_eps=1e-3,
                    max_position_embeddings=64), dtype=torch.bfloat16, v5=True),
    "gpt_neox_pythia": dict(
        type="gpt_neox",
        config=dict(hidden_size=32, intermediate_size=52, num_hidden_layers=2,
                    num_attention_heads=4, vocab_size=84, max_position_embeddings=64),
        rename=[("lm_head", "embed_out")], dtype=torch.float16,
        buffers={f"gpt_neox.layers.{i}.attention.{name}": value.clone() for i in range(2)
                 for name, value in [("bias", torch.ones(1, 1, 8, 8, dtype=torch.bool).tril()),
                                     ("masked_bias", torch.tensor(-1e9)),
                                     ("rotary_emb.inv_freq", torch.tensor([1.0]))]}),
    "gpt_neox_sequential": dict(
        type="gpt_neox",
        config=dict(hidden_size=24, intermediate_size=32, num_hidden_layers=2,
                    num_attention_heads=2, vocab_size=70, max_position_embeddings=64,
                    use_parallel_residual=False, attention_bias=False, hidden_act="gelu_new",
                    tie_word_embeddings=True, pad_token_id=1,
                    rope_parameters=dict(rope_type="linear", rope_theta=8000.0, factor=2.0,
                                         partial_rotary_factor=0.75)), v5=True),
    # As on the hub: the body alone, with its masks, and a short config.json.
    "gpt2_body": dict(
        type="gpt2",
        config=dict(n_embd=32, n_layer=2, n_head=4, n_positions=48, vocab_size=86,
                    bos_token_id=85, eos_token_id=85),
        rename=[("transformer.", "")],
        keep=["model_type", "n_embd", "n_layer", "n_head", "n_positions", "vocab_size", "n_ctx",
              "activation_function", "layer_norm_epsilon", "eos_token_id", "architectures"],
        buffers={f"h.{i}.attn.{name}": value.clone() for i in range(2)
                 for name, value in [("bias", torch.ones(1, 1, 8, 8).tril()),
                                     ("masked_bias", torch.tensor(-1e4))]}),
    "gpt2_scales": dict(
        type="gpt2",
        config=dict(n_embd=24, n_layer=3, n_head=3, n_inner=40, n_positions=64, vocab_size=80,
                    activation_function="relu", scale_attn_by_inverse_layer_idx=True,
                    scale_attn_weights=False, tie_word_embeddings=False, layer_norm_epsilon=1e-4,
                    bos_token_id=1, eos_token_id=2), dtype=torch.bfloat16, v5=True, shards=2),
    "opt_plain": dict(
        type="opt",
        config=dict(hidden_size=32, ffn_dim=44, num_hidden_layers=2, num_attention_heads=4,
                    vocab_size=88, max_position_embeddings=48, word_embed_proj_dim=32),
        drop=["tie_word_embeddings"], dtype=torch.float16),
    "opt_350m": dict(
        type="opt",
        config=dict(hidden_size=32, ffn_dim=40, num_hidden_layers=2, num_attention_heads=2,
                    vocab_size=79, max_position_embeddings=64, word_embed_proj_dim=20,
                    do_layer_norm_before=False),
        rename=[("model.decoder.", "decoder.")], v5=True),
    "opt_bare": dict(
        type="opt",
        config=dict(hidden_size=24, ffn_dim=32, num_hidden_layers=2, num_attention_heads=2,
                    vocab_size=65, max_position_embeddings=64, word_embed_proj_dim=24,
                    enable_bias=False, layer_norm_elementwise_affine=False,
                    activation_function="gelu", tie_word_embeddings=False), v5=True),
    "olmo2_norms": dict(
        type="olmo2",
        config=dict(hidden_size=32, intermediate_size=44, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, vocab_size=92,
                    rms_norm_eps=1e-6, max_position_embeddings=64, attention_bias=True,
                    pad_token_id=1, rope_parameters=dict(rope_type="default", rope_theta=500000.0)),
        dtype=torch.bfloat16),
    "stablelm_gated": dict(
        type="stablelm",
        config=dict(hidden_size=32, intermediate_size=44, num_hidden_layers=2,
                    num_attention_heads=2, num_key_value_heads=2, vocab_size=72,
                    max_position_embeddings=64, use_qkv_bias=True), drop=["head_dim"]),
    "stablelm_12b": dict(
        type="stablelm",
        config=dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, vocab_size=68,
                    max_position_embeddings=64, qk_layernorm=True, use_parallel_residual=True,
                    tie_word_embeddings=True, pad_token_id=3,
                    rope_parameters=dict(rope_type="default", rope_theta=10000.0,
                                         partial_rotary_factor=0.5)),
        dtype=torch.bfloat16, v5=True),
    "falcon_7b": dict(
        type="falcon",
        config=dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=73,
                    max_position_embeddings=64, bos_token_id=1, eos_token_id=2),
        drop=["tie_word_embeddings"], dtype=torch.bfloat16),
    "falcon_40b": dict(
        type="falcon",
        config=dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_kv_heads=2,
                    vocab_size=69, max_position_embeddings=64, bos_token_id=1, eos_token_id=2,
                    new_decoder_architecture=True, bias=True, ffn_hidden_size=36,
                    tie_word_embeddings=False), v5=True),
    "falcon_sequential": dict(
        type="falcon",
        config=dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, vocab_size=67,
                    max_position_embeddings=64, bos_token_id=1, eos_token_id=2,
                    multi_query=False, parallel_attn=False, bias=True), v5=True),
}
