"""Writes a tiny model of the Llama kind with random weights: `model.py PATH`."""

from __future__ import annotations

import sys

import gguf  # type: ignore[import-not-found]
import numpy  # type: ignore[import-not-found]

WIDTH, LAYERS, HEADS, WINDOW = 64, 2, 4, 32_768
TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}<|assistant|>"


def main(path: str) -> None:
    random = numpy.random.default_rng(7)
    file = gguf.GGUFWriter(path, "llama")
    file.add_name("random")
    file.add_context_length(WINDOW)
    file.add_embedding_length(WIDTH)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(2 * WIDTH)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(WIDTH // HEADS)
    file.add_file_type(gguf.LlamaFileType.ALL_F32)
    kinds = gguf.TokenType
    tokens = [(b"<unk>", kinds.UNKNOWN), (b"<s>", kinds.CONTROL), (b"</s>", kinds.CONTROL)]
    tokens += [(f"<0x{byte:02X}>".encode(), kinds.BYTE) for byte in range(256)]
    tokens += [("▁".encode(), kinds.NORMAL)]
    file.add_tokenizer_model("llama")
    file.add_token_list([token for token, _ in tokens])
    file.add_token_scores([0.0] * len(tokens))
    file.add_token_types([kind for _, kind in tokens])
    file.add_vocab_size(len(tokens))
    file.add_unk_token_id(0)
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_chat_template(TEMPLATE)

    def weights(name: str, *shape: int) -> None:
        file.add_tensor(f"{name}.weight", (random.standard_normal(shape) * 0.5).astype(numpy.float32))

    def ones(name: str) -> None:
        file.add_tensor(f"{name}.weight", numpy.ones(WIDTH, numpy.float32))

    weights("token_embd", len(tokens), WIDTH)
    weights("output", len(tokens), WIDTH)
    ones("output_norm")
    for block in (f"blk.{number}" for number in range(LAYERS)):
        ones(f"{block}.attn_norm")
        ones(f"{block}.ffn_norm")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weights(f"{block}.{name}", WIDTH, WIDTH)
        weights(f"{block}.ffn_gate", 2 * WIDTH, WIDTH)
        weights(f"{block}.ffn_up", 2 * WIDTH, WIDTH)
        weights(f"{block}.ffn_down", WIDTH, 2 * WIDTH)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


if __name__ == "__main__":
    main(sys.argv[1])
