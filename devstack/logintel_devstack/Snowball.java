// The token filter `snowball`: Lucene's English stemmer, as the analysis module of a full Elasticsearch has it.
package logintel;

import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.snowball.SnowballFilter;
import org.elasticsearch.plugin.NamedComponent;
import org.elasticsearch.plugin.analysis.TokenFilterFactory;
import org.tartarus.snowball.ext.EnglishStemmer;

@NamedComponent("snowball")
public class Snowball implements TokenFilterFactory {
    @Override
    public TokenStream create(TokenStream tokens) {
        return new SnowballFilter(tokens, new EnglishStemmer());
    }
}
